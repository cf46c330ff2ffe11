"""The forms that settings come in: switches, lists, paths and addresses, each checked as it is read.

What is plainly meant is taken: a word of ours in whatever case, the marks that an address is copied with. What may mean
two things, or nothing, is refused in a sentence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from barrack_mcp.api.http import PLACE, checked_url
from barrack_mcp.api.http.network import checked_proxy
from barrack_mcp.api.text import guess, recognize
from barrack_mcp.catalogue import OFFERS, Risk, Toolset
from barrack_mcp.catalogue.values import MOST_LEASE_HOURS
from barrack_mcp.config.environment import as_path
from barrack_mcp.config.globs import check_globs

_TRUE: Final = ("1", "true", "on", "yes", "y", "t", "enabled")
_FALSE: Final = ("0", "false", "off", "no", "n", "f", "disabled")
SETS: Final = ("all", "core", *Toolset)
_BETWEEN: Final = re.compile(r"[,;\s]+")
"""What may stand between words of ours, none of which holds any of it."""
_AROUND: Final = "[]\"'"
"""What a list or a text is written with elsewhere."""
_DISCOVERY: Final = "/.well-known/openid-configuration"
_KEY_LENGTH: Final = 32
_ADDRESS: Final = "://"
_REDIS: Final = ("redis", "rediss")


_WORDS: Final = {
    **dict.fromkeys(("decimal_parsing", "float_parsing"), "must be a number, such as 8"),
    **dict.fromkeys(("int_parsing", "int_from_float"), "must be a whole number, such as 8"),
}
"""What our words are for what pydantic says in its own."""


def say_wrong(detail: Any) -> str:
    """Say in our words what pydantic found wrong with a value, as the end of a sentence."""
    told = str(detail["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    return _WORDS.get(detail["type"], told)


def read_switch(text: str) -> bool:
    """Read whether something is on.

    Raises:
        ValueError: It doesn't say so, in words.
    """
    word = text.strip().lower()
    if word not in (*_TRUE, *_FALSE):
        raise ValueError("must be 1, true, on or 0, false, off")
    return word in _TRUE


def read_words(text: str, kind: str, known: Iterable[str]) -> tuple[str, ...]:
    """Read a list of words of ours.

    Args:
        text: The words, with commas or blanks between them.
        kind: What they are, for the sentence.
        known: All that there are.

    Raises:
        ValueError: One is none, in words.
    """
    words = (part.strip(_AROUND) for part in _BETWEEN.split(text))
    return _recognized((word for word in words if word), kind, tuple(known))


def _recognized(words: Iterable[str], kind: str, known: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    for word in words:
        meant = recognize(word, known)
        if meant is None:
            hint = guess(word, known, otherwise=f"known: {', '.join(sorted(known))}.")
            raise ValueError(f"names an unknown {kind}; {hint}")
        found.append(meant)
    return tuple(dict.fromkeys(found))


def _switch(value: object) -> object:
    return read_switch(value) if isinstance(value, str) else value


def _words(value: object) -> object:
    if isinstance(value, str):
        return tuple(word for part in value.split(",") if (word := part.strip()))
    return tuple(value) if isinstance(value, list) else value


def _words_of(kind: str, known: Iterable[str]) -> BeforeValidator:
    """Read words of ours, from one text or from a list of texts."""
    all_known = tuple(known)

    def read(value: object) -> object:
        if isinstance(value, str):
            return read_words(value, kind, all_known)
        if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
            return _recognized(value, kind, all_known)
        return value

    return BeforeValidator(read)


def _word_of(*known: str) -> BeforeValidator:
    """Read one word of ours; what is none is left to be refused by its type, which names all that there are."""

    def read(value: object) -> object:
        return (recognize(value, known) or value) if isinstance(value, str) else value

    return BeforeValidator(read)


def _header(value: str) -> str:
    name = value.removesuffix(":").rstrip()
    if re.fullmatch(r"[A-Za-z0-9-]+", name) is None:
        raise ValueError("must be the name of a header, such as X-API-Key")
    return name


def _hosts(names: tuple[str, ...]) -> tuple[str, ...]:
    """Read names as they stand in a Host header, and in addresses as well: nothing else could ever be one."""
    hosts = tuple(re.sub(r"^https?://", "", name.lower()).removesuffix("/") for name in names)
    if any(PLACE.fullmatch(host) is None for host in hosts):
        raise ValueError(
            "must be names as clients call this server, such as bot.example.com or bot.example.com:8443, separated by "
            "commas; each name in full, without a * or a path"
        )
    return hosts


def _template(value: str) -> str:
    if value.count("{key}") != 1 or not value.isprintable():
        raise ValueError("must hold {key} once, as in «Bearer {key}»")
    return value


def _passphrase(value: str) -> str:
    if re.fullmatch(r"scrypt:15:[\w=-]{24}:[\w=-]{44}", value) is None:
        raise ValueError("must be a hash as barrack-mcp approvals --new-passphrase makes it, not a passphrase")
    return value


def _webhook(value: SecretStr) -> SecretStr:
    checked_url(value.get_secret_value().partition("?")[0])
    return value


def _unguessable(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < _KEY_LENGTH:
        raise ValueError(f"must have at least {_KEY_LENGTH} characters")
    return value


def _public(value: str) -> str:
    if urlsplit(value).scheme != "https":
        raise ValueError("must begin with https://: tokens would pass in the clear")
    return checked_url(value)


def _issuer(value: str) -> str:
    # a slash at its end is a part of its name; what it says of itself stands below that
    issuer = value.removesuffix(_DISCOVERY)
    checked_url(issuer)
    return issuer


def _approvers(words: tuple[str, ...]) -> tuple[str, ...]:
    read = tuple(re.sub(r"^group:\s*", "group:", word, flags=re.IGNORECASE) for word in words)
    if "group:" in read:
        raise ValueError("names a group without its name; write group:NAME")
    return read


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
    if value.strip().lower() in _FALSE:
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
Globs: TypeAlias = Annotated[Words, AfterValidator(check_globs)]
Toolsets: TypeAlias = Annotated[tuple[str, ...], _words_of("toolset", SETS)]
Tools: TypeAlias = Annotated[tuple[str, ...], _words_of("tool", OFFERS)]
Risks: TypeAlias = Annotated[frozenset[Risk], _words_of("risk", Risk)]
AskingRisks: TypeAlias = Annotated[tuple[str, ...], _words_of("risk", (risk for risk in Risk if risk is not Risk.READ))]
Currency: TypeAlias = Annotated[Literal["USD", "EUR", "INR"], _word_of("USD", "EUR", "INR")]
Approval: TypeAlias = Annotated[
    Literal["auto", "elicit", "out-of-band", "refuse"], _word_of("auto", "elicit", "out-of-band", "refuse")
]
WebhookForm: TypeAlias = Annotated[Literal["json", "slack"], _word_of("json", "slack")]
LogFormat: TypeAlias = Annotated[Literal["text", "json"], _word_of("text", "json")]
Amount: TypeAlias = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
LeaseHours: TypeAlias = Annotated[int, Field(ge=1, le=MOST_LEASE_HOURS)]
OwnPath: TypeAlias = Annotated[Path, BeforeValidator(_path)]
StatePlace: TypeAlias = Annotated[Path | SecretStr, BeforeValidator(_state)]
AuditPath: TypeAlias = Annotated[Path | Literal["off"], BeforeValidator(_audit)]
Source: TypeAlias = Annotated[str, AfterValidator(_source)]
ApiUrl: TypeAlias = Annotated[str, AfterValidator(checked_url)]
HeaderName: TypeAlias = Annotated[str, AfterValidator(_header)]
Template: TypeAlias = Annotated[str, AfterValidator(_template)]
PassphraseHash: TypeAlias = Annotated[str, AfterValidator(_passphrase)]
WebhookUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_webhook)]
WebhookSecret: TypeAlias = Annotated[SecretStr, AfterValidator(_unguessable)]
SealingKeys: TypeAlias = Annotated[tuple[SecretStr, ...], BeforeValidator(_words), AfterValidator(_long_enough)]
ApproverNames: TypeAlias = Annotated[Words, AfterValidator(_approvers)]
PublicUrl: TypeAlias = Annotated[str, AfterValidator(_public)]
IssuerUrl: TypeAlias = Annotated[str, AfterValidator(_issuer)]
HostNames: TypeAlias = Annotated[Words, AfterValidator(_hosts)]
Proxy: TypeAlias = Annotated[SecretStr, AfterValidator(checked_proxy)]
