"""The forms that settings come in: switches, lists, paths and addresses, each checked as it is read."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from barrack_mcp.api.http import checked_url
from barrack_mcp.api.text import guess
from barrack_mcp.catalogue import OFFERS, Risk, Toolset
from barrack_mcp.config.environment import as_path

_TRUE: Final = ("1", "true", "on", "yes")
_FALSE: Final = ("", "0", "false", "off", "no")
_SETS: Final = ("all", "core", *Toolset)
_KEY_LENGTH: Final = 32
_ADDRESS: Final = "://"
_REDIS: Final = ("redis", "rediss")


def _switch(value: object) -> object:
    if isinstance(value, str):
        if value.strip().lower() in _TRUE:
            return True
        if value.strip().lower() in _FALSE:
            return False
        raise ValueError("must be 1, true, on or 0, false, off")
    return value


def _words(value: object) -> object:
    if isinstance(value, str):
        return tuple(word for part in value.split(",") if (word := part.strip()))
    return tuple(value) if isinstance(value, list) else value


def _known(kind: str, known: tuple[str, ...] | frozenset[str]) -> AfterValidator:
    def check(words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            if word not in known:
                hint = guess(word, known, otherwise=f"known: {', '.join(sorted(known))}.")
                raise ValueError(f"names an unknown {kind}; {hint}")
        return words

    return AfterValidator(check)


def _template(value: str) -> str:
    if value.count("{key}") != 1 or not value.isprintable():
        raise ValueError("must hold {key} once, as in «Bearer {key}»")
    return value


def _passphrase(value: str) -> str:
    if re.fullmatch(r"scrypt:15:[\w=-]{24}:[\w=-]{44}", value) is None:
        raise ValueError("this wants a hash as barrack-mcp approvals --new-passphrase makes it, not a passphrase")
    return value


def _webhook(value: SecretStr) -> SecretStr:
    checked_url(value.get_secret_value().partition("?")[0])
    return value


def _unguessable(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < _KEY_LENGTH:
        raise ValueError(f"must have at least {_KEY_LENGTH} characters")
    return value


def _public(value: str) -> str:
    if not value.startswith("https://"):
        raise ValueError("must begin with https://: tokens would pass in the clear")
    return checked_url(value)


def _issuer(value: str) -> str:
    # a slash at its end is a part of its name
    checked_url(value)
    return value


def _approvers(words: tuple[str, ...]) -> tuple[str, ...]:
    if "group:" in words:
        raise ValueError("names a group without its name; write group:NAME")
    return words


def _path(value: object) -> object:
    return as_path(value) if isinstance(value, str) else value


def _source(value: str) -> str:
    return value if _ADDRESS in value else str(as_path(value))


def _state(value: object) -> object:
    if isinstance(value, str) and _ADDRESS in value:
        return SecretStr(_redis(value))
    return _file(value)


def _redis(value: str) -> str:
    """Check the address of a Redis; no sentence repeats it, as it may hold a password."""
    parts = urlsplit(value)
    if parts.scheme not in _REDIS:
        raise ValueError("must be the path of a file, or the address of a Redis: redis://… or rediss://…")
    try:
        plain = bool(parts.hostname) and parts.port != 0 and value.isprintable() and " " not in value
    except ValueError:
        plain = False
    if not plain or parts.query or parts.fragment or re.fullmatch(r"(/\d{0,4})?", parts.path) is None:
        raise ValueError(
            "must be of the form redis://USER:PASSWORD@HOST:PORT/NUMBER, of which only the host has to be there; write "
            "what is no letter or digit in the password as %40 for @, %2F for /, %23 for #"
        )
    if find_spec("redis") is None:
        raise ValueError("is a Redis, which needs a further package; in the checkout run: pip install '.[redis]'")
    return value


def _audit(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.strip().lower() in _FALSE[1:]:
        return "off"
    path = as_path(value)
    if value.rstrip().endswith(("/", os.sep)) and not path.is_dir():
        raise ValueError("names a folder that is not there: make it, or name a file")
    return path


def _file(value: object) -> object:
    path = _path(value)
    if isinstance(path, Path) and path.is_dir():
        raise ValueError("is a folder: name a file in it")
    return path


def _long_enough(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(len(key.get_secret_value()) < _KEY_LENGTH for key in keys):
        raise ValueError(f"must be keys of at least {_KEY_LENGTH} characters each, separated by commas")
    return keys


Switch: TypeAlias = Annotated[bool, BeforeValidator(_switch)]
Words: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_words)]
Toolsets: TypeAlias = Annotated[Words, _known("toolset", _SETS)]
Tools: TypeAlias = Annotated[Words, _known("tool", frozenset(OFFERS))]
AskingRisks: TypeAlias = Annotated[Words, _known("risk", tuple(risk for risk in Risk if risk is not Risk.READ))]
OwnPath: TypeAlias = Annotated[Path, BeforeValidator(_path)]
StatePlace: TypeAlias = Annotated[Path | SecretStr, BeforeValidator(_state)]
AuditPath: TypeAlias = Annotated[Path | Literal["off"], BeforeValidator(_audit)]
Source: TypeAlias = Annotated[str, AfterValidator(_source)]
Template: TypeAlias = Annotated[str, AfterValidator(_template)]
PassphraseHash: TypeAlias = Annotated[str, AfterValidator(_passphrase)]
WebhookUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_webhook)]
WebhookSecret: TypeAlias = Annotated[SecretStr, AfterValidator(_unguessable)]
SealingKeys: TypeAlias = Annotated[tuple[SecretStr, ...], BeforeValidator(_words), AfterValidator(_long_enough)]
ApproverNames: TypeAlias = Annotated[Words, AfterValidator(_approvers)]
PublicUrl: TypeAlias = Annotated[str, AfterValidator(_public)]
IssuerUrl: TypeAlias = Annotated[str, AfterValidator(_issuer)]
