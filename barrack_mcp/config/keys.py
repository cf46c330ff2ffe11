"""API keys of callers who have one of their own: a file of the operator's, a line for each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from barrack_mcp.api.text import mention
from barrack_mcp.config.callers import CallersError
from barrack_mcp.config.followed import Followed
from barrack_mcp.state.reach import check_reach
from barrack_mcp.state.secret import KeyFileError


def read_keys(path: Path) -> Mapping[str, SecretStr]:
    """Read the API keys of callers: `NAME = "key"`, a line each.

    Raises:
        CallersError: It can't be read, others can read it, or what is wrong in it.
    """
    try:
        check_reach(path)
        keys = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CallersError(f"BARRACK_KEYS_FILE: {path} can't be read ({error.strerror}).") from None
    except KeyFileError as error:
        raise CallersError(f"BARRACK_KEYS_FILE: {error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # the parser's own words may hold what stands there
        raise CallersError(f'BARRACK_KEYS_FILE: {path} is not TOML; it wants NAME = "key", a line each.') from None
    for name, key in keys.items():
        if not isinstance(key, str) or not is_key(key):
            raise CallersError(f"BARRACK_KEYS_FILE: {path}: the key of {mention(name)} can't be one; copy it again.")
    return {name: SecretStr(key.strip()) for name, key in keys.items()}


def is_key(text: str) -> bool:
    """Whether a text can be an API key: what a header can carry."""
    return text.isascii() and text.isprintable() and bool(text.strip())


class Keys:
    """The API keys of callers who have one of their own, as the file says now.

    Args:
        path: The file.

    Raises:
        CallersError: It can't be followed.
    """

    def __init__(self, path: Path) -> None:
        self._file = Followed(path, read_keys, CallersError)

    def of(self, name: str) -> SecretStr | None:
        """The key of a caller; None if they use the server's.

        Raises:
            CallersError: The file can't be followed now, so nobody's account is known.
        """
        keys = self._file.now()
        if keys is None:
            raise CallersError("The file of keys can't be followed, so nobody's account is known.")
        return keys.get(name)

    def by_name(self) -> Mapping[str, SecretStr]:
        """Each key there is, by its caller; none while the file can't be followed."""
        return self._file.now() or {}
