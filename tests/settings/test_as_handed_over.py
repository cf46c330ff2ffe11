"""Settings as people's tools hand them over: every form of empty, blank, quoted and unfilled, for all of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from barrack_mcp.config import NAMES, SettingsError, read_settings

HOME = {"HOME": "/home/ada"}
GOOD = {
    "BARRACK_API_KEY": "k-1",
    "BARRACK_API_URL": "https://barrack.example/api",
    "BARRACK_AUTH_HEADER": "X-Key",
    "BARRACK_AUTH_TEMPLATE": "Token {key}",
    "BARRACK_CONTRACT": "/etc/barrack/contract.toml",
    "BARRACK_OPENAPI": "https://barrack.example/openapi.json",
    "BARRACK_SIMULATOR": "on",
    "BARRACK_TOOLSETS": "core",
    "BARRACK_TOOLS": "stop_instance",
    "BARRACK_READ_ONLY": "true",
    "BARRACK_UNATTENDED": "spend,interrupt",
    "BARRACK_APPROVAL": "refuse",
    "BARRACK_PROTECT": "prod-*,infer-*",
    "BARRACK_MAX_HOURLY_COST": "6.5",
    "BARRACK_MIN_RUNWAY_HOURS": "40",
    "BARRACK_MAX_MONTHLY_COST": "500",
    "BARRACK_MAX_MACHINE_COST": "100",
    "BARRACK_DEFAULT_LEASE_HOURS": "8",
    "BARRACK_CURRENCY": "EUR",
    "BARRACK_TIMEOUT": "7",
    "BARRACK_ELICIT_TIMEOUT": "8",
    "BARRACK_APPROVAL_TTL": "9",
    "BARRACK_PAGE_PORT": "8123",
    "BARRACK_BROWSER": "1",
    "BARRACK_WEBHOOK_URL": "https://chat.example/hook",
    "BARRACK_APPROVERS": "ada,group:leads",
    "BARRACK_FOUR_EYES": "off",
    "BARRACK_LOG_FORMAT": "json",
    "BARRACK_METRICS_BY_CALLER": "1",
    "BARRACK_WEBHOOK_FORM": "slack",
    "BARRACK_WEBHOOK_SECRET": "w" * 32,
    "BARRACK_OIDC_CLIENT_SECRET": "a secret of a client",
    "BARRACK_STATE": "/var/lib/barrack/state.db",
    "BARRACK_STATE_KEYS": "k" * 40,
    "BARRACK_AUDIT": "/var/lib/barrack/audit.jsonl",
    "BARRACK_REVEAL_PRIVATE_KEYS": "1",
    "BARRACK_PROXY": "http://proxy.example:3128",
    "BARRACK_HTTP_TOKENS_FILE": "/etc/barrack/callers.toml",
    "BARRACK_OIDC_ISSUER": "https://login.example.com/",
    "BARRACK_OIDC_AUDIENCE": "https://bot.example.com/mcp",
    "BARRACK_OIDC_CLIENT_ID": "barrack-page",
    "BARRACK_KEYS_FROM_CALLERS": "on",
    "BARRACK_KEYS_FILE": "/etc/barrack/keys.toml",
    "BARRACK_ALLOWED_HOSTS": "bot.example.com",
    "BARRACK_PUBLIC_URL": "https://bot.example.com",
}
"""A good value for each setting; those that name a file which must be there are tried by themselves."""
FILES = {"BARRACK_API_KEY_FILE", "BARRACK_CA_FILE"}
KNOWN = sorted(GOOD.keys() & NAMES.keys())
PATHS = ("BARRACK_CONTRACT", "BARRACK_OPENAPI", "BARRACK_STATE", "BARRACK_AUDIT")


def chosen(**environ: str) -> dict[str, object]:
    """What comes of an environment, without what the machine's screen says."""
    settings = read_settings(HOME | environ)
    secrets = {name: str(getattr(settings, name)) for name in ("api_key", "webhook_url", "proxy")}
    return settings.model_dump(exclude={"browser"}) | secrets


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as error:
        read_settings(HOME | environ)
    return str(error.value)


def test_each_setting_has_a_good_value_here() -> None:
    assert {name for name in NAMES if not name.startswith("BARRACK_APPROVAL_PASS")} <= GOOD.keys() | FILES


@pytest.mark.parametrize("name", [*KNOWN, *sorted(FILES), "BARRACK_CONFIG"])
@pytest.mark.parametrize("empty", ["", " ", "\t", '""', "''", "\ufeff", "\r\n", "' '"])
def test_nothing_in_a_setting_is_as_if_it_were_not_set(name: str, empty: str) -> None:
    assert chosen(**{name: empty}) == chosen()


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize(
    "around",
    ["{} ", " {}", "{}\r", "{}\r\n", "\t{}\n", '"{}"', "'{}'", ' "{}" ', "\ufeff{}", '\ufeff"{}"', "\u201c{}\u201d"],
)
def test_what_a_tool_puts_around_a_value_is_taken_off(name: str, around: str) -> None:
    assert chosen(**{name: around.format(GOOD[name])}) == chosen(**{name: GOOD[name]})


@pytest.mark.parametrize(
    ("name", "written", "meant"),
    [
        ("BARRACK_CURRENCY", "eur", "EUR"),
        ("BARRACK_CURRENCY", "Inr", "INR"),
        ("BARRACK_APPROVAL", "OUT_OF_BAND", "out-of-band"),
        ("BARRACK_APPROVAL", "out of band", "out-of-band"),
        ("BARRACK_APPROVAL", "Refuse", "refuse"),
        ("BARRACK_WEBHOOK_FORM", "Slack", "slack"),
        ("BARRACK_LOG_FORMAT", "JSON", "json"),
        ("BARRACK_TOOLSETS", "Core, SSH-Keys;images", "core,ssh_keys,images"),
        ("BARRACK_TOOLSETS", '["core", "images"]', "core,images"),
        ("BARRACK_TOOLSETS", '"core","images"', "core,images"),
        ("BARRACK_TOOLS", "LIST_INSTANCES list-volumes", "list_instances,list_volumes"),
        ("BARRACK_UNATTENDED", "SPEND\nInterrupt", "spend,interrupt"),
        ("BARRACK_READ_ONLY", "True", "1"),
        ("BARRACK_READ_ONLY", "Y", "1"),
        ("BARRACK_SIMULATOR", "ENABLED", "1"),
        ("BARRACK_FOUR_EYES", "N", "0"),
        ("BARRACK_AUDIT", "OFF", "off"),
        ("BARRACK_PROXY", "Off", "off"),
        ("BARRACK_AUTH_HEADER", "X-Key:", "X-Key"),
        ("BARRACK_API_URL", "HTTPS://Barrack.example/api/", "https://barrack.example/api"),
        ("BARRACK_PUBLIC_URL", "HTTPS://Bot.Example.com/", "https://bot.example.com"),
        ("BARRACK_ALLOWED_HOSTS", "https://Bot.example.com/, b.example:8443", "bot.example.com,b.example:8443"),
        ("BARRACK_OIDC_ISSUER", "https://a.example/.well-known/openid-configuration", "https://a.example"),
        ("BARRACK_APPROVERS", "Group: leads,ada", "group:leads,ada"),
    ],
)
def test_what_is_plainly_meant_is_taken(name: str, written: str, meant: str) -> None:
    beside = {"BARRACK_READ_ONLY": "1"} if name == "BARRACK_AUDIT" else {}
    assert chosen(**{name: written}, **beside) == chosen(**{name: meant}, **beside) != chosen()


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("BARRACK_CURRENCY", "US"),
        ("BARRACK_UNATTENDED", "!spend"),
        ("BARRACK_UNATTENDED", "-spend"),
        ("BARRACK_UNATTENDED", "spend|destroy"),
        ("BARRACK_UNATTENDED", "no spend"),
        ("BARRACK_UNATTENDED", "*"),
        ("BARRACK_TOOLSETS", "core=on"),
        ("BARRACK_READ_ONLY", "2"),
        ("BARRACK_APPROVAL", "elicit,refuse"),
        ("BARRACK_ALLOWED_HOSTS", "*.example.com"),
        ("BARRACK_ALLOWED_HOSTS", "*"),
        ("BARRACK_ALLOWED_HOSTS", "bot.example.com/mcp"),
        ("BARRACK_ALLOWED_HOSTS", "bot.example.com b.example"),
        ("BARRACK_APPROVERS", "GROUP:"),
        ("BARRACK_AUTH_HEADER", "X-Key: {key}"),
    ],
)
def test_what_may_mean_something_else_is_refused(name: str, written: str) -> None:
    words = refusal({name: written})
    assert words.startswith(f"{name} ")
    assert words.endswith((".", "?"))
    assert len(written) < 3 or written not in words


@pytest.mark.parametrize("name", ["barrack_read_only", "Barrack_Read_Only"])
def test_a_setting_in_small_letters_counts_and_two_that_differ_are_refused(name: str) -> None:
    assert chosen(**{name: "on"}) == chosen(BARRACK_READ_ONLY="on")
    assert "BARRACK_READ_ONLY is set twice" in refusal({name: "on", "BARRACK_READ_ONLY": "off"})
    assert "did you mean BARRACK_READ_ONLY?" in refusal({"barrack_readonly": "1"})


@pytest.mark.parametrize("name", [*KNOWN, *sorted(FILES), "BARRACK_CONFIG"])
@pytest.mark.parametrize(
    "reference",
    [
        "${NOBODY_SET_IT}",
        "$NOBODY_SET_IT",
        "$(NOBODY_SET_IT)",
        "%NOBODY_SET_IT%",
        "${user_config.x}",
        "${env:X}",
        '"${X}"',
        "{{ x }}",
    ],
)
def test_a_reference_that_nobody_filled_in_is_refused_in_every_setting(name: str, reference: str) -> None:
    words = refusal({name: reference})
    assert words.startswith(f"{name} ")
    assert "nobody filled in" in words
    assert "user_config" not in words


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("home", ["~", "$HOME", "${HOME}", "%HOME%"])
def test_a_home_in_a_path_is_the_users(name: str, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert chosen(**{name: f"{home}/b/file"}) == chosen(**{name: "/home/ada/b/file"})


@pytest.mark.parametrize("name", [*PATHS, *sorted(FILES), "BARRACK_CONFIG"])
@pytest.mark.parametrize("path", ["state.db", "./b/state.db", "../state.db", "file\0"])
def test_a_path_that_hangs_on_where_the_process_is_started_is_refused(name: str, path: str) -> None:
    words = refusal({name: path})
    assert words.startswith(f"{name} must be a path from the root on")


@pytest.mark.parametrize(
    "globs",
    [
        '["prod-*"]',
        "['prod-*','x']",
        "infer-*;prod-*",
        "infer-* prod-*",
        "infer-*\nprod-*",
        "infer-*|prod-*",
        '"a-*","b-*"',
        "'prod-*",
        "{prod,dev}-*",
        "^prod",
        "prod\\-*",
        "(prod)*",
        "[]",
        "[z-a]*",
        "prod-[",
        "[prod-*]",
        "a,\tb c",
        "infer-*\uff0cprod-*",
        "\u201cprod-*",
        "<prod-*>",
        ";",
        "prod-*,\u00ad",
        "[Z-a]*",
        "\uff3bprod-*",
    ],
)
def test_a_glob_that_can_match_nothing_is_refused_at_the_start(globs: str) -> None:
    words = refusal({"BARRACK_PROTECT": globs})
    assert words.startswith("BARRACK_PROTECT ")
    assert "prod" not in words


@pytest.mark.parametrize(
    ("globs", "read"),
    [
        ("prod-*", ("prod-*",)),
        (" prod-* , infer-?,,", ("prod-*", "infer-?")),
        ("'prod-*,infer-*'", ("prod-*", "infer-*")),
        ("db-[0-9],[!a]x,BRK-1*", ("db-[0-9]", "[!a]x", "BRK-1*")),
        ("*", ("*",)),
        ("prod-café", ("prod-café",)),
        ("prod-\uff0a", ("prod-\uff0a",)),
    ],
)
def test_a_glob_that_can_match_is_taken(globs: str, read: tuple[str, ...]) -> None:
    assert chosen(BARRACK_PROTECT=globs)["protect"] == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BARRACK_SERVICE_HOST", "10.0.0.1"),
        ("BARRACK_SERVICE_PORT", "80"),
        ("BARRACK_SERVICE_PORT_HTTP", "80"),
        ("BARRACK_PORT", "tcp://10.0.0.1:80"),
        ("BARRACK_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("BARRACK_PORT_80_TCP_PROTO", "tcp"),
        ("BARRACK_PORT_80_TCP_PORT", "80"),
        ("BARRACK_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("BARRACK_PORT_53_UDP_ADDR", "10.0.0.1"),
        ("BARRACK_MCP_SERVICE_HOST", "10.0.0.1"),
        ("BARRACK_MCP_PORT", "tcp://[fd00::1]:80"),
        ("BARRACK_PAGE_PORT", "tcp://10.0.0.1:80"),
        ("BARRACK_NAME", "/web/barrack"),
    ],
)
def test_what_kubernetes_and_docker_set_under_our_prefix_is_no_setting(name: str, value: str) -> None:
    assert chosen(**{name: value}) == chosen()


@pytest.mark.parametrize(
    "name", ["BARRACK_PORT", "BARRACK_HOST", "BARRACK_PORTS", "BARRACK_PROTEKT", "BARRACK_SERVICE"]
)
def test_any_other_unknown_name_is_refused(name: str) -> None:
    assert f"{name} is not a setting" in refusal({name: "8765"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_files_are_read_whatever_mark_an_editor_put_before_them(tmp_path: Path, encoding: str) -> None:
    key, toml = tmp_path / "key", tmp_path / "barrack.toml"
    key.write_bytes("k-1\r\n".encode(encoding))
    key.chmod(0o600)
    toml.write_bytes('protect = ["prod-é*"]\n'.encode(encoding))
    settings = read_settings({"BARRACK_API_KEY_FILE": str(key), "BARRACK_CONFIG": str(toml)})
    assert settings.key is not None
    assert settings.key.get_secret_value() == "k-1"
    assert settings.protect == ("prod-é*",)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can become a user that nobody knows")
def test_a_user_whom_nobody_knows_has_a_state_all_the_same_and_it_is_not_in_the_working_folder() -> None:
    coming, going = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.environ.clear()
            os.setuid(65_432)
            os.write(going, str(read_settings({}).state_file).encode())
        finally:
            os._exit(0)
    os.close(going)
    os.waitpid(child, 0)
    told = Path(os.read(coming, 1000).decode())
    os.close(coming)
    assert told.is_absolute()
    assert told.parent.name == "barrack-mcp-65432"
