"""The types of arguments and answers, with the checks that an argument alone allows.

Checks are functions, not patterns: a tool's schema stays small and every client accepts it. Their sentences never
repeat the caller's value.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import core_schema

KNOWN_GPU_MODELS: Final = (
    "H100-PCIe-NVLink-80GB",
    "RTX-A6000",
    "B300-262GB",
    "H100-SXM5-80GB",
    "H100-PCIe-80GB",
    "A100-SXM4-80GB-NVLink",
    "A100-PCIe-80GB",
    "L40",
    "A40",
)
"""GPU models seen in the vendor's pages; an open set."""

KNOWN_REGIONS: Final = ("NORWAY-1", "CANADA-1", "US-1")
"""Regions in the vendor's guide of June 2025; an open set."""

KNOWN_CURRENCIES: Final = ("USD", "EUR", "INR")
GPU_COUNTS: Final = (1, 2, 4, 8)
MIN_VOLUME_GB: Final = 100
MAX_VOLUME_GB: Final = 1_048_576
MAX_CLOUD_INIT_BYTES: Final = 16_384
MAX_SCRIPT_BYTES: Final = 65_536
"""Of a startup script; an answer shows it whole or not at all."""
MAX_KEY: Final = 16_384
"""Characters of a public key: RSA of 16,384 bits takes 2,800."""
MAX_PASSWORD: Final = 200
MAX_WORD: Final = 100
MAX_NOTE: Final = 1_000
"""Characters of a description for which the API states no limit."""
MOST_LEASE_HOURS: Final = 8_760
"""A year: what is to run for longer has no lease."""
MOST_LISTED: Final = 100
"""Entries of any list in a call."""
LONGEST_WAIT_S: Final = 600
"""How long one call waits at most; whoever calls again goes on waiting."""
MOST: Final = 10**9
"""What a number without a limit of its own may be: far above any page, and any size."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NAME = re.compile(r"[A-Za-z0-9 ._-]+")
_KEY_NAME = re.compile(r"[A-Za-z0-9._-]+")
_CIDR = re.compile(r"[0-9A-Fa-f:.]+/(0|[1-9][0-9]{0,2})")
# no part of it can take what another could: its time grows with its text, and no faster
_PUBLIC_KEY = re.compile(r"[a-z][A-Za-z0-9@.-]{2,63}+[ \t]++AAAA[A-Za-z0-9+/]{28,}+={0,2}+(?:[ \t][^\r\n]*+)?")

PRIVATE_KEY: Final = re.compile(r"-{4,5} ?BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-[0-9]")
"""How a private key begins: PEM, OpenSSH, SSH.com, PGP, PuTTY."""
_PRIVATE_MARKS = ("PRIVATE KEY", "PuTTY-User-Key-File")
_INTEGER = re.compile(r"([+-]?[0-9]{1,18})(?:\.0{1,18})?")
_TRUTH: Final = {"true": True, "false": False}
_NUMERAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")


@dataclass(frozen=True, slots=True)
class Most:
    """The most that one of our own checks takes, where a tool's schema doesn't state it: a value, a size or a count."""

    most: int


def _matching(pattern: re.Pattern[str], sentence: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(sentence)
        return value

    return AfterValidator(check)


def _not_reserved(value: str) -> str:
    from barrack_mcp.catalogue import RESERVED_IDS  # noqa: PLC0415 - the paths are declared with these very types

    if value.casefold() in RESERVED_IDS:
        raise ValueError("is a word of the API's own paths, not an id")
    return value


def _decoded(opening: str) -> BeforeValidator:
    """Some clients send arrays and objects as JSON strings: read them."""

    def decode(value: object) -> object:
        if isinstance(value, str) and value.lstrip().startswith(opening):
            try:
                return json.loads(value)
            except (ValueError, RecursionError):
                return value
        return value

    return BeforeValidator(decode)


def _whole(value: object) -> object:
    """JSON has one kind of number, and some clients send numbers as text: 2.0 and "2" are the integer 2."""
    if isinstance(value, str) and (digits := _INTEGER.fullmatch(value.strip())):
        return int(digits[1])
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _truth(value: object) -> object:
    """Some clients send true and false as text; what else may mean yes or no is not guessed."""
    return _TRUTH.get(value.strip().casefold(), value) if isinstance(value, str) else value


def _id(value: object) -> object:
    """Some clients send an id of digits as a number, or with blanks around it."""
    number = _whole(value) if isinstance(value, float) else value
    if isinstance(number, int) and not isinstance(number, bool):
        return str(number)
    return value.strip() if isinstance(value, str) else value


def _trimmed(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _gpu_count(value: int) -> int:
    if value not in GPU_COUNTS:
        raise ValueError("must be 1, 2, 4 or 8")
    return value


def _cidr(value: str) -> str:
    """Write a range as everybody reads it: in its one short form, from its first address on.

    A zero in front of a number is refused, since some read what follows as octal.
    """
    text = value.strip()
    try:
        if _CIDR.fullmatch(text):
            return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        pass
    raise ValueError(
        "must be an address range in CIDR form, such as 203.0.113.0/24 or 2001:db8::/32, or 203.0.113.7/32 for one "
        "address, with no number that starts with 0"
    )


def _number_as_text(value: object) -> object:
    """A protocol's number may come as a number; blanks around it say nothing."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST else value


def _public_key(value: str) -> str:
    key = value.strip() if len(value) <= MAX_KEY else ""
    if not _PUBLIC_KEY.fullmatch(key):
        raise ValueError("must be one line of an OpenSSH public key, such as ssh-ed25519 AAAA… name")
    return key


def _bytes(most: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value) > most or len(value.encode()) > most:
            raise ValueError(f"must be at most {most} bytes")
        return value

    return AfterValidator(check)


def _characters(most: int) -> AfterValidator:
    """Hold a text to a limit that its schema doesn't state: the contract has none, and a model needs none."""

    def check(value: str) -> str:
        if len(value) > most:
            raise ValueError(f"must have at most {most} characters")
        return value

    return AfterValidator(check)


def _few(value: object) -> object:
    """Hold a list to a limit before any of it is looked at."""
    if isinstance(value, list) and len(value) > MOST_LISTED:
        raise ValueError(f"must have at most {MOST_LISTED} entries; do it in smaller parts")
    return value


def _sensible(value: int) -> int:
    if value > MOST:
        raise ValueError(f"must be at most {MOST}")
    return value


def _wait(value: int) -> int:
    if not 1 <= value <= LONGEST_WAIT_S:
        raise ValueError(f"must be 1 to {LONGEST_WAIT_S} seconds")
    return value


def _word(value: str) -> str:
    if not 1 <= len(value) <= MAX_WORD or not value.isprintable() or value.isspace():
        raise ValueError(f"must be 1 to {MAX_WORD} printable characters")
    return value


def _day(value: str) -> str:
    try:
        return date.fromisoformat(value.strip()).isoformat()
    except ValueError:
        raise ValueError("must be a date such as 2026-01-31") from None


def _instant(value: str) -> str:
    try:
        at = datetime.fromisoformat(value.strip())
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return at.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        raise ValueError("must be a time such as 2026-01-31T18:00Z") from None


def holds_private_key(text: str) -> bool:
    """Whether a private key begins anywhere in a text."""
    # hardly any text holds these words, which are found much faster than what stands around them
    return ("PRIVATE KEY" in text or "PuTTY" in text) and PRIVATE_KEY.search(text) is not None


def _no_private_key(value: str) -> str:
    if any(mark in value for mark in _PRIVATE_MARKS):
        raise ValueError("holds a private key, which must stay with its owner: give the public half, the .pub file")
    return value


def _no_twice(value: list[str]) -> list[str]:
    if len(set(value)) != len(value):
        raise ValueError("must not name the same id twice")
    return value


ARRAY: Final = _decoded("[")
FEW: Final = BeforeValidator(_few)
OBJECT: Final = _decoded("{")

Id: TypeAlias = Annotated[
    str,
    _matching(_ID, "must be an id: letters, digits, - and _, starting with a letter or digit"),
    AfterValidator(_not_reserved),
    BeforeValidator(_id),
]
"""An opaque id. The form keeps `.`, `..` and `/` out of paths; the prefix is not checked."""

Ids: TypeAlias = Annotated[list[Id], Field(min_length=1), AfterValidator(_no_twice), FEW, Most(MOST_LISTED), ARRAY]
AnyIds: TypeAlias = Annotated[list[Id], AfterValidator(_no_twice), FEW, Most(MOST_LISTED), ARRAY]
"""Ids, where the empty list means something."""

Name: TypeAlias = Annotated[
    str, Field(max_length=50), _matching(_NAME, "must be made of letters, digits, space, . - and _")
]
ImageName: TypeAlias = Annotated[
    str, Field(min_length=3, max_length=30), _matching(_NAME, "must be made of letters, digits, space, . - and _")
]
KeyName: TypeAlias = Annotated[
    str, Field(max_length=50), _matching(_KEY_NAME, "must be made of letters, digits, . - and _, without space")
]
PublicKey: TypeAlias = Annotated[str, AfterValidator(_no_private_key), AfterValidator(_public_key), Most(MAX_KEY)]
Cidr: TypeAlias = Annotated[str, AfterValidator(_cidr)]
CloudInit: TypeAlias = Annotated[str, _bytes(MAX_CLOUD_INIT_BYTES), Most(MAX_CLOUD_INIT_BYTES)]
ScriptText: TypeAlias = Annotated[str, _bytes(MAX_SCRIPT_BYTES), Most(MAX_SCRIPT_BYTES)]
Password: TypeAlias = Annotated[str, Field(min_length=8), _characters(MAX_PASSWORD), Most(MAX_PASSWORD)]
Note: TypeAlias = Annotated[str, _characters(MAX_NOTE), Most(MAX_NOTE)]
Description: TypeAlias = Annotated[str, Field(max_length=255)]
Word: TypeAlias = Annotated[str, AfterValidator(_word), Most(MAX_WORD), BeforeValidator(_trimmed)]
"""One value of an open set, such as a region or a GPU model."""

Day: TypeAlias = Annotated[str, AfterValidator(_day)]
"""A day of the calendar, `2026-01-31`."""

YesNo: TypeAlias = Annotated[bool, BeforeValidator(_truth)]
Port: TypeAlias = Annotated[int, Field(ge=1, le=65_535), BeforeValidator(_whole)]
VolumeSize: TypeAlias = Annotated[int, Field(ge=MIN_VOLUME_GB, le=MAX_VOLUME_GB), BeforeValidator(_whole)]
PositiveInt: TypeAlias = Annotated[int, Field(ge=1), AfterValidator(_sensible), Most(MOST), BeforeValidator(_whole)]
Hours: TypeAlias = Annotated[int, Field(ge=1, le=MOST_LEASE_HOURS), BeforeValidator(_whole)]
"""How long a machine may run."""
WaitSeconds: TypeAlias = Annotated[int, AfterValidator(_wait), Most(LONGEST_WAIT_S), BeforeValidator(_whole)]
"""How long to wait; many tools take it, so that its schema states no limits."""
HoursOrNone: TypeAlias = Annotated[int, Field(ge=0, le=MOST_LEASE_HOURS), BeforeValidator(_whole)]
"""The same; 0 for no end."""
Instant: TypeAlias = Annotated[str, AfterValidator(_instant), Most(MAX_WORD)]
"""A time; UTC where it names no zone."""
Limit: TypeAlias = Annotated[int, Field(ge=1, le=100), BeforeValidator(_whole)]


# The API's enumerations under their own names: a closed set is a `Literal`, an open one a `Word`.

TierEnum: TypeAlias = Literal["legacy", "advanced"]
"""Documented."""
Tier528Enum: TypeAlias = TierEnum
"""The same choices, imported by the vendor a second time (documented)."""
CurrencyEnum: TypeAlias = Literal["USD", "EUR", "INR"]
"""Documented."""
ResourceTypeEnum: TypeAlias = Literal["volumes", "snapshots", "gpus"]
"""`volumes` is documented; the others are inferred from the answer's keys."""
VolumeTypeEnum: TypeAlias = Literal["SSD", "HDD", "NVMe"]
"""Documented: SSD for legacy; HDD and NVMe for advanced."""
PricingRequestVolumeTypeEnum: TypeAlias = VolumeTypeEnum
BootSourceEnum: TypeAlias = Literal["os_image", "volume", "custom_image"]
"""Inferred."""
DirectionEnum: TypeAlias = Literal["ingress", "egress"]
"""Inferred in its case."""
EthertypeEnum: TypeAlias = Literal["IPv4", "IPv6"]
"""Inferred in its case."""
OnOff: TypeAlias = Literal["on", "off"]
"""Ours."""
DetailEnum: TypeAlias = Literal["concise", "full"]
"""Ours."""
SettlingEnum: TypeAlias = Literal["instance", "volume", "snapshot", "image", "firewall"]
"""Ours: the types of things that are on their way at times."""
SETTLED: Final = (BootSourceEnum, DirectionEnum, EthertypeEnum, DetailEnum, SettlingEnum)
"""The closed sets by whose values our own checks decide: no document adds to them."""
GpuCountEnum: TypeAlias = Annotated[int, Field(ge=1, le=8), AfterValidator(_gpu_count), BeforeValidator(_whole)]
"""1, 2, 4 or 8; a range in the schema, since some clients refuse enumerations of integers."""
GpuModelEnum: TypeAlias = Word
RegionEnum: TypeAlias = Word
ProtocolEnum: TypeAlias = Annotated[Word, BeforeValidator(_number_as_text)]
"""A name or a number; which of them it takes, the API knows."""
VMStatus: TypeAlias = Word
"""Of the states a machine can be in, those on the way come and go with the API's releases."""


# Answers: whatever stands there is brought to the declared type without loss, as far as that is possible.


def _text(value: object) -> str | None:
    """Anything but text is shown as its JSON; a character that no encoding can carry, as its escape."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


_NO_NUMBER: Final = "is not a number"
_NOT_WHOLE: Final = "is not a whole number"


def _number(value: object) -> object:
    """Decimals often travel as text: `"2.49"` is the number 2.49."""
    if value is None:
        return None
    if isinstance(value, str) and _NUMERAL.fullmatch(value):
        return float(value) if "." in value else int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    raise ValueError(_NO_NUMBER)


def _whole_number(value: object) -> object:
    number = _number(value)
    if isinstance(number, float) and not number.is_integer():
        raise ValueError(_NOT_WHOLE)
    return number


def _listed(value: object) -> object:
    return value if value is None or isinstance(value, list) else [value]


def _alone(value: object) -> object:
    rows = [each for each in value if each is not None] if isinstance(value, list) else [value]
    return value if len(rows) > 1 else next(iter(rows), None)


def bare(name: str) -> BeforeValidator:
    """Read a bare word or number where an object is expected as that object's field `name`."""

    def wrap(value: object) -> object:
        return value if value is None or isinstance(value, dict) else {name: value}

    return BeforeValidator(wrap)


def keyed(key: str, content: str) -> BeforeValidator:
    """Read a map of rows as a list of rows that bear their `key`; a row that is no object becomes its `content`."""

    def unfold(value: object) -> object:
        if not isinstance(value, dict):
            return value
        return [{key: at, **(row if isinstance(row, dict) else {content: row})} for at, row in value.items()]

    return BeforeValidator(unfold)


class Keep(StrEnum):
    """What of an answer's text stays when it is shown; of all other text neither."""

    LINES = "lines"
    """Its ends of lines and its tabs."""
    WHOLE = "whole"
    """These, and its length: it is shown whole or not at all."""


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """Reads a value by a function, unless it is plainly of one of these types: most are, and need no look of ours."""

    plain: tuple[core_schema.CoreSchema, ...]
    by: Callable[[object], object]
    fault: str = "is of another type"
    """What is wrong with a value that can't be read: one fault, however many types were tried."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        other = core_schema.no_info_before_validator_function(self.by, handler(source))
        return core_schema.union_schema(
            [*self.plain, other],
            mode="left_to_right",
            custom_error_type="unread",
            custom_error_message=self.fault,
        )


_STR: Final = core_schema.str_schema(strict=True, min_length=0)
"""A limit, so that each character is looked at: half a pair is none."""
_INT: Final = core_schema.int_schema(strict=True)
_FLOAT: Final = core_schema.float_schema(strict=True, allow_inf_nan=False)

Text: TypeAlias = Annotated[str | None, _Read((_STR,), _text), WithJsonSchema({"type": "string"})]
Lines: TypeAlias = Annotated[Text, Keep.LINES]
"""Text of several lines, such as a description."""
WholeText: TypeAlias = Annotated[Text, Keep.WHOLE]
"""Text that is worth nothing unless it is whole."""
LISTED: Final = BeforeValidator(_listed)
"""Read one row where a list is expected as a list of one."""
ALONE: Final = BeforeValidator(_alone)
"""Read a list of one where a single thing is expected as that thing."""
Texts: TypeAlias = Annotated[list[Text] | None, LISTED]
Flag: TypeAlias = bool | None
Number: TypeAlias = Annotated[Any, _Read((_INT, _FLOAT), _number, _NO_NUMBER), WithJsonSchema({"type": "number"})]
"""Money and other quantities: an integer stays an integer."""
Whole: TypeAlias = Annotated[Any, _Read((_INT,), _whole_number, _NOT_WHOLE), WithJsonSchema({"type": "integer"})]
Anything: TypeAlias = Annotated[Any, WithJsonSchema({"type": ["object", "array", "string", "number", "boolean"]})]
"""A value of an error of which nothing is known; what a tool answers has one type."""
StatusEnum: TypeAlias = Text
DeploymentDataStatusEnum: TypeAlias = Text
IpStatusEnum: TypeAlias = Text
