"""Where settings come from: a TOML file, over it the environment, over it flags; secrets from files of their own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr, ValidationError

from barrack_mcp.api.http.network import CertificatesError, Network
from barrack_mcp.api.text import decode, guess
from barrack_mcp.config.environment import as_path, clean, expand, has_screen, is_anothers
from barrack_mcp.config.forms import say_wrong
from barrack_mcp.config.settings import Settings, SettingsError
from barrack_mcp.state.reach import check_reach
from barrack_mcp.state.secret import KeyFileError

PREFIX: Final = "BARRACK_"
_SECRETS: Final = ("api_key", "state_keys", "webhook_url", "webhook_secret", "oidc_client_secret", "proxy")
_CONFIG: Final = f"{PREFIX}CONFIG"
_PATHS: Final = (
    _CONFIG,
    "api_key_file",
    "contract",
    "openapi",
    "state",
    "audit",
    "ca_file",
    "http_tokens_file",
    "keys_file",
)
NAMES: Final = {f"{PREFIX}{field.upper()}": field for field in Settings.model_fields}
"""Each setting's name in the environment, and its field."""
IN_FILES: Final = {
    f"{PREFIX}{field.upper()}_FILE": field
    for field in (*_SECRETS, "state")
    if f"{field}_file" not in Settings.model_fields
}
"""What names a file that holds a secret, and that secret's field; a database's address holds its password."""


def read_settings(environ: Mapping[str, str], flags: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings: the TOML file named by `BARRACK_CONFIG`, over it the environment, over it the flags.

    Args:
        environ: The process's environment.
        flags: Fields set on the command line; None means not given.

    Raises:
        SettingsError: One sentence for each setting that is wrong.
    """
    given = _from_environ(environ)
    config = _clean_all({_CONFIG: given.pop(_CONFIG, "")}, environ).get(_CONFIG)
    values: dict[str, Any] = {"browser": has_screen(environ)}
    for told in (_from_toml(config) if config else {}, given, flags or {}):
        # what is empty says nothing, so what was said before it holds
        values |= _clean_all(told, environ)
    _take_from_files(values)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(detail) for detail in error.errors())) from None
    if settings.api_key_file is not None:
        key = _read_secret("BARRACK_API_KEY_FILE", settings.api_key_file)
        settings = settings.model_copy(update={"api_key": SecretStr(key)})
    if settings.key is not None:
        _check_key(settings.key.get_secret_value())
    settings = settings.within(Network.from_environ(environ))
    if settings.ca_file is not None:
        try:
            settings.network.trusted()
        except CertificatesError as error:
            raise SettingsError(str(error)) from None
    return settings


def _from_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Pick out the settings, by their names; what others set under our prefix is none."""
    given: dict[str, str] = {}
    for written, value in environ.items():
        # a switch that is passed over for its small letters would be worse than none
        name = written.upper()
        if not name.startswith(PREFIX) or is_anothers(name, value):
            continue
        field = name if name == _CONFIG else _field(name)
        if given.get(field, value) != value:
            raise SettingsError(f"{name} is set twice, in capital and in small letters; keep one of them.")
        given[field] = value
    return given


def _field(name: str) -> str:
    if name in IN_FILES:
        return name.removeprefix(PREFIX).lower()
    field = NAMES.get(name)
    if field is None:
        hint = guess(name, {*NAMES, *IN_FILES}, otherwise="docs/settings.md lists those of this version.")
        raise SettingsError(f"{name} is not a setting of this version; {hint}")
    return field


def _clean_all(told: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Take off what was put around each value; leaves out what says nothing."""
    cleaned = {}
    for field, value in told.items():
        names_a_file = (field in _PATHS or _name(field) in IN_FILES) and not _is_address(field, value)
        filled = expand(value, environ) if names_a_file and isinstance(value, str) else value
        cleaned[field] = _cleaned(_name(field), filled) if isinstance(filled, str) else filled
    return {field: value for field, value in cleaned.items() if value is not None}


def _is_address(field: str, value: object) -> bool:
    """Whether the state is said to be in a database, whose password may look like anything."""
    return field == "state" and isinstance(value, str) and "://" in value


def _cleaned(name: str, value: str) -> str | None:
    try:
        return clean(value)
    except ValueError as error:
        raise SettingsError(f"{name} {error}.") from None


def _name(field: str) -> str:
    return field if field == _CONFIG else f"{PREFIX}{field.upper()}"


def _check_key(key: str) -> None:
    if not (key.isascii() and key.isprintable()):
        raise SettingsError("The API key holds a character that no header can carry; copy it again.")


def _from_toml(named: str) -> dict[str, Any]:
    try:
        path = as_path(named)
    except ValueError as error:
        raise SettingsError(f"{_CONFIG} {error}.") from None
    try:
        table = tomllib.loads(decode(path.read_bytes()))
    except OSError as error:
        raise SettingsError(f"{_CONFIG}: {path} can't be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{_CONFIG}: {path} is not TOML: {error}.") from None
    values: dict[str, Any] = {}
    for name, value in table.items():
        full = name.upper() if name.upper().startswith(PREFIX) else f"{PREFIX}{name.upper()}"
        field = _field(full)
        if field in _SECRETS or _is_address(field, value):
            raise SettingsError(f"{path} must not hold a secret; set {full} in the environment, or {full}_FILE.")
        values[field] = value
    return values


def _take_from_files(values: dict[str, Any]) -> None:
    """Put each secret in its place that stands in a file of its own, and forget the file."""
    for name, secret in IN_FILES.items():
        named = values.pop(_field(name), None)
        if named is None:
            continue
        if secret in values:
            raise SettingsError(f"{_name(secret)} and {name} are both set; keep one of them.")
        try:
            path = as_path(str(named))
        except ValueError as error:
            raise SettingsError(f"{name} {error}.") from None
        values[secret] = _read_secret(name, path)


def _read_secret(name: str, path: Path) -> str:
    try:
        text = _cleaned(name, decode(path.read_bytes()))
        check_reach(path)
    except OSError as error:
        raise SettingsError(f"{name}: {path} can't be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{name}: {path} is not text.") from None
    except KeyFileError as error:
        raise SettingsError(f"{name}: {error}.") from None
    if not text:
        raise SettingsError(f"{name}: {path} is empty.")
    return text


def _sentence(detail: Any) -> str:
    message = say_wrong(detail)
    whose = f"{PREFIX}{str(detail['loc'][0]).upper()} " if detail["loc"] else ""
    return f"{whose}{message}{'' if message.endswith(('.', '?')) else '.'}"
