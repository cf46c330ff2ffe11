"""Settings: where they come from, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from barrack_mcp.api.http import is_loopback
from barrack_mcp.catalogue import BY_TOOL, OFFERS
from barrack_mcp.config import IN_FILES, NAMES, Settings, SettingsError, read_settings

CANARY = "canary-key-77aa"


def refusal(environ: dict[str, str], **flags: Any) -> str:
    with pytest.raises(SettingsError) as error:
        read_settings(environ, flags)
    assert CANARY not in str(error.value)
    return str(error.value)


def surface(**environ: str) -> set[str]:
    settings = read_settings({f"BARRACK_{name.upper()}": value for name, value in environ.items()})
    return {offer.tool for offer in OFFERS.values() if settings.offers(offer)}


def test_without_any_setting_everything_is_offered_and_nothing_runs_unattended() -> None:
    settings = read_settings({})
    assert all(settings.offers(offer) for offer in OFFERS.values())
    assert settings.unattended == ()
    assert settings.key is None
    assert settings.api_url == "https://barrack.ai/api"


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "barrack.toml"
    file.write_text('currency = "INR"\nBARRACK_TIMEOUT = 7\nread_only = true\nunattended = ["spend"]\n')
    environ = {"BARRACK_CONFIG": str(file), "BARRACK_TIMEOUT": "8", "BARRACK_READ_ONLY": "on"}
    settings = read_settings(environ, {"read_only": False, "simulator": None})
    assert (settings.currency, settings.timeout, settings.read_only) == ("INR", 8, False)
    assert settings.unattended == ("spend",)


def test_the_key_is_never_shown() -> None:
    settings = read_settings({"BARRACK_API_KEY": CANARY})
    assert CANARY not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert settings.key is not None
    assert settings.key.get_secret_value() == CANARY


def test_the_simulator_has_its_own_key() -> None:
    settings = read_settings({"BARRACK_API_KEY": CANARY, "BARRACK_SIMULATOR": "1"})
    assert settings.key is not None
    assert settings.key.get_secret_value() == "sim-key"


def test_an_empty_key_is_no_key() -> None:
    assert read_settings({"BARRACK_API_KEY": ""}).key is None


def test_a_key_file_must_be_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "key"
    environ = {"BARRACK_API_KEY_FILE": str(file)}
    assert "can't be read" in refusal(environ)
    file.write_text(f"{CANARY}\n")
    file.chmod(0o644)
    assert "chmod 600" in refusal(environ)
    file.chmod(0o600)
    key = read_settings(environ).key
    assert key is not None
    assert key.get_secret_value() == CANARY
    assert "keep one of them" in refusal(environ | {"BARRACK_API_KEY": CANARY})
    file.write_text("")
    assert "is empty" in refusal(environ)
    file.write_bytes(b"\xff\xfa")
    assert "is not text" in refusal(environ)


def test_each_secret_can_stand_in_a_file_that_is_its_owners_alone(tmp_path: Path) -> None:
    good = {
        "state_keys": f"{CANARY}{'k' * 32}",
        "webhook_url": "https://chat.example/hook",
        "proxy": "http://10.0.0.1:1",
    }
    assert good.keys() <= set(IN_FILES.values())
    for name, field in IN_FILES.items():
        file = tmp_path / field
        assert refusal({name: str(file)}).startswith(f"{name}: {file} can't be read")
        assert refusal({name: "keys"}).startswith(f"{name} must be a path from the root on")
        file.write_text(f"{good.get(field, tmp_path / 'state.db')}\n")
        file.chmod(0o644)
        assert "chmod 600" in refusal({name: str(file)})
        file.chmod(0o600)
        written = file.read_text().strip()
        alone, filed = read_settings({name.removesuffix("_FILE"): written}), read_settings({name: str(file)})
        assert getattr(alone, field) == getattr(filed, field)
        assert "keep one of them" in refusal({name: str(file), name.removesuffix("_FILE"): written})
        # the file of settings may say where a secret is, and still not hold it
        toml = tmp_path / "barrack.toml"
        toml.write_text(f"{field}_file = {str(file)!r}\n")
        assert getattr(read_settings({"BARRACK_CONFIG": str(toml)}), field) == getattr(filed, field)
        file.write_text("\n")
        assert "is empty" in refusal({name: str(file)})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("BARRACK_UNATENDED", "spend", "did you mean BARRACK_UNATTENDED?"),
        ("BARRACK_ZEBRA", "1", "is not a setting of this version"),
        ("BARRACK_UNATTENDED", "spend,destory", "did you mean destroy?"),
        ("BARRACK_UNATTENDED", "read", "unknown risk"),
        ("BARRACK_READ_ONLY", "maybe", "BARRACK_READ_ONLY must be 1, true, on"),
        ("BARRACK_TOOLSETS", "cores", "did you mean core?"),
        ("BARRACK_TOOLS", "zzz", "unknown tool"),
        ("BARRACK_CURRENCY", "GBP", "BARRACK_CURRENCY must be 'USD', 'EUR' or 'INR'"),
        ("BARRACK_TIMEOUT", "nan", "BARRACK_TIMEOUT"),
        ("BARRACK_TIMEOUT", "half", "BARRACK_TIMEOUT must be a number, such as 8."),
        ("BARRACK_MAX_HOURLY_COST", "8 USD", "BARRACK_MAX_HOURLY_COST must be a number, such as 8."),
        ("BARRACK_DEFAULT_LEASE_HOURS", "1.5", "BARRACK_DEFAULT_LEASE_HOURS must be a whole number, such as 8."),
        ("BARRACK_PAGE_PORT", "http", "BARRACK_PAGE_PORT must be a whole number, such as 8."),
        ("BARRACK_TIMEOUT", "0", "BARRACK_TIMEOUT"),
        ("BARRACK_AUTH_HEADER", "X API", "BARRACK_AUTH_HEADER"),
        ("BARRACK_AUTH_TEMPLATE", "Bearer", "{key} once"),
        ("BARRACK_AUTH_TEMPLATE", "a\n{key}", "{key} once"),
        ("BARRACK_API_URL", "http://barrack.ai/api", "must begin with https://"),
        ("BARRACK_API_URL", f"https://me:{CANARY}@barrack.ai/api", "must not hold a user name"),
        ("BARRACK_API_URL", "https://barrack.ai/api?x=1", "must not hold"),
        ("BARRACK_API_URL", "barrack.ai", "must be a URL"),
        ("BARRACK_API_URL", "https://[::1/api", "must be a URL"),
        ("BARRACK_API_URL", "https://barrack.ai:port/api", "must be a URL"),
        ("BARRACK_API_KEY", f"{CANARY}\nx", "no header can carry"),
        ("BARRACK_API_KEY", f"{CANARY}é", "no header can carry"),
        ("BARRACK_API_URL", "https://barrack.ai/a pi", "must be a URL"),
        ("BARRACK_STATE", "state.db", "must be a path from the root on"),
        ("BARRACK_STATE", "/", "is a folder"),
        ("BARRACK_PROXY", f"socks5://me:{CANARY}@127.0.0.1:9", "must be the address of a proxy"),
        ("BARRACK_CA_FILE", "/nonexistent/ca.pem", "BARRACK_CA_FILE: /nonexistent/ca.pem can't be read"),
        ("BARRACK_CONFIG", "/nonexistent/barrack.toml", "can't be read"),
    ],
)
def test_a_wrong_setting_is_refused_in_a_sentence_that_names_it(name: str, value: str, words: str) -> None:
    assert words in refusal({name: value})


def test_the_file_may_not_hold_the_key_and_must_be_toml(tmp_path: Path) -> None:
    file = tmp_path / "barrack.toml"
    file.write_text(f'api_key = "{CANARY}"\n')
    assert "must not hold a secret" in refusal({"BARRACK_CONFIG": str(file)})
    file.write_text("read_only =\n")
    assert "is not TOML" in refusal({"BARRACK_CONFIG": str(file)})


@pytest.mark.parametrize("url", ["http://127.0.0.1:8900/api", "http://localhost/api/", "http://[::1]:9/api"])
def test_this_machine_may_be_spoken_to_without_tls(url: str) -> None:
    assert read_settings({"BARRACK_API_URL": url}).api_url == url.rstrip("/")


def test_read_only_offers_reads_alone() -> None:
    assert surface(read_only="1") == {offer.tool for offer in OFFERS.values() if offer.reads}


def test_toolsets_and_tools_add_up_and_tools_alone_stand_alone() -> None:
    assert surface(tools="stop_instance") == {"stop_instance"}
    volumes = {offer.tool for offer in OFFERS.values() if offer.toolset == "volumes"}
    assert surface(toolsets="volumes") == volumes
    assert surface(toolsets="volumes", tools="stop_instance") == volumes | {"stop_instance"}
    assert surface(toolsets="core") == {offer.tool for offer in OFFERS.values() if offer.core}
    assert surface(tools="stop_instance,list_volumes", read_only="1") == {"list_volumes"}


def test_every_setting_says_what_it_means() -> None:
    assert all(Settings.model_fields[field].description for field in NAMES.values())


@pytest.mark.parametrize(
    ("host", "ours"), [("127.0.0.9", True), ("::1", True), ("0.0.0.0", False), ("a.example", False)]
)
def test_loopback_is_known(host: str, ours: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_loopback(host) is ours
    assert BY_TOOL
