"""The address of a Redis as a setting: checked, never repeated, and never without keys that every server has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from barrack_mcp.config import Settings, SettingsError, read_settings

SECRET = "se$cret%2F90b7e2"
URL = f"rediss://barrack:{SECRET}@redis.example.com:6380/2"
KEYS = {"BARRACK_STATE_KEYS": "k" * 32}


def read(tmp_path: Path, url: str = URL, **more: str) -> Settings:
    return read_settings({"HOME": str(tmp_path), "BARRACK_STATE": url} | KEYS | more)


def test_an_address_is_kept_as_a_secret_and_files_stay_in_the_users_folder(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert isinstance(settings.state_place, SecretStr)
    assert settings.state_place.get_secret_value() == URL
    assert "90b7e2" not in f"{settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert settings.state_file.name == "state.db"
    assert settings.audit_file == settings.state_folder / "audit.jsonl"
    assert read_settings({"BARRACK_STATE": "/var/lib/b/state.db"}).state_place == Path("/var/lib/b/state.db")


@pytest.mark.parametrize(
    "url",
    ["redis://h", "redis://h:6379", "redis://h/0", "rediss://h/15", "redis://:p@h", "redis://[::1]:6379/1"],
)
def test_all_but_the_host_may_be_left_out(tmp_path: Path, url: str) -> None:
    place = read(tmp_path, url).state_place
    assert isinstance(place, SecretStr)
    assert place.get_secret_value() == url


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"postgres://u:{SECRET}@h/1", "must be the path of a file, or the address of a Redis"),
        (f"redis://u:{SECRET}@h:port/1", "must be of the form redis://"),
        (f"redis://u:{SECRET}@h:99999", "must be of the form redis://"),
        (f"redis://u:{SECRET}@", "must be of the form redis://"),
        (f"redis://u:{SECRET}@h/name", "must be of the form redis://"),
        (f"redis://u:p/{SECRET}@h", "must be of the form redis://"),
        (f"redis://u:{SECRET}@h?ssl_cert_reqs=none", "must be of the form redis://"),
        (f"redis://u:#{SECRET}@h", "must be of the form redis://"),
        (f"redis://u:{SECRET} @h", "must be of the form redis://"),
    ],
)
def test_another_address_is_refused_and_not_repeated(tmp_path: Path, url: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        read(tmp_path, url)
    assert str(caught.value).startswith("BARRACK_STATE ")
    assert "90b7e2" not in str(caught.value)


def test_without_keys_that_all_servers_share_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="BARRACK_STATE_KEYS must be set") as caught:
        read_settings({"HOME": str(tmp_path), "BARRACK_STATE": URL})
    assert "90b7e2" not in str(caught.value)


def test_where_its_package_is_missing_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(SettingsError, match=r"run: pip install '\.\[redis\]'"):
        read(tmp_path)


def test_it_may_stand_in_a_file_of_its_own_but_not_among_other_settings(tmp_path: Path) -> None:
    file = tmp_path / "address"
    file.write_text(f"{URL}\n")
    file.chmod(0o600)
    place = read_settings({"HOME": str(tmp_path), "BARRACK_STATE_FILE": str(file)} | KEYS).state_place
    assert isinstance(place, SecretStr)
    assert place.get_secret_value() == URL
    config = tmp_path / "barrack.toml"
    config.write_text(f'state = "{URL}"\n')
    with pytest.raises(SettingsError, match="must not hold a secret") as caught:
        read_settings({"HOME": str(tmp_path), "BARRACK_CONFIG": str(config)} | KEYS)
    assert "90b7e2" not in str(caught.value)
