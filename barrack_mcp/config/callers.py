"""Who may call over HTTP: a file that `barrack-mcp callers` keeps, one table for each caller.

A token is 256 random bits, so that its SHA-256 tells nobody what it is; the file holds nothing else of it. Those whom
an identity provider knows are named by their subject, or by a group of theirs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from barrack_mcp.api.text import cite, guess, mention
from barrack_mcp.catalogue import Risk
from barrack_mcp.config import forms
from barrack_mcp.config.followed import Followed
from barrack_mcp.config.identity import Identity, Proof
from barrack_mcp.state.reach import check_reach
from barrack_mcp.state.secret import KeyFileError

SHAPE: Final = "bmcp_"
"""How each token begins, so that whoever finds one knows what it opens."""
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]{0,63}")
REAPER: Final = "reap"
"""The name under which what is past its lease is ended: no caller can have it."""
LOCAL: Final = "local:"
"""How the names of this machine's users begin in the record: no subject does."""
_LONGEST: Final = 255
"""Characters of a subject; a provider's are no longer."""
_BITS: Final = 256
_LENGTH: Final = len(SHAPE) + 43


class CallersError(Exception):
    """The callers' file can't be followed; the text says where and why, without a value."""


def _plain(text: str) -> str:
    if not 0 < len(text) <= _LONGEST or not text.isprintable() or text != text.strip():
        raise ValueError(f"must be 1 to {_LONGEST} visible characters, as the identity provider has it")
    return text


class CallerRow(BaseModel):
    """What one caller may, by the operator's word; it only ever narrows what the server offers."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Of the token."""
    subject: Annotated[str, AfterValidator(_plain)] | None = None
    """Of the identity provider's tokens."""
    group: Annotated[str, AfterValidator(_plain)] | None = None
    """For whoever is of that group, as the identity provider says, and has no row by subject."""
    risks: forms.Risks = frozenset(Risk)
    toolsets: forms.Toolsets = ("all",)
    approver: bool = False
    """Whether this caller may say yes to what others ask for."""
    protect: forms.Globs = ()
    max_hourly_cost: forms.Amount | None = None
    """What this caller's own purchases may cost per hour."""
    max_monthly_cost: forms.Amount | None = None
    """What they may come to in a month."""

    @model_validator(mode="after")
    def _known_by_one(self) -> Self:
        if sum(each is not None for each in (self.sha256, self.subject, self.group)) != 1:
            raise ValueError("wants exactly one of sha256, subject and group, which say who that is")
        return self

    @property
    def known_by(self) -> str:
        """What says who that is: a token, or the provider's subject or group."""
        if self.sha256 is not None:
            return "token"
        return f"subject {cite(self.subject)}" if self.subject is not None else f"group {cite(self.group)}"


_TABLE: Final = TypeAdapter(dict[str, CallerRow])


def read_callers(path: Path) -> Mapping[str, CallerRow]:
    """Read the callers' file.

    Raises:
        CallersError: It can't be read, others can write or read it, or a line for each mistake in it.
    """
    try:
        check_reach(path)
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CallersError(f"{path} can't be read ({error.strerror}).") from None
    except KeyFileError as error:
        raise CallersError(f"{error}.") from None
    except UnicodeDecodeError:
        raise CallersError(f"{path} is not text.") from None
    return parse_callers(text, str(path))


def parse_callers(text: str, path: str) -> Mapping[str, CallerRow]:
    """Read what a callers' file holds.

    Args:
        text: Its text.
        path: Its path, for messages.

    Raises:
        CallersError: A line for each mistake in it.
    """
    try:
        rows = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CallersError(f"{path} is not TOML: {error}.") from None
    try:
        callers = _TABLE.validate_python(rows)
    except ValidationError as error:
        raise CallersError("\n".join(f"{path}: {_sentence(detail)}" for detail in error.errors())) from None
    if wrong := [name for name in callers if NAME.fullmatch(name) is None]:
        raise CallersError(f"{path}: {len(wrong)} callers have a name that is none; {WRONG_NAME}")
    if REAPER in callers:
        raise CallersError(f"{path}: {REAPER} is nobody's name: what is past its lease is ended under it.")
    for what, marks in (
        ("token", [row.sha256 for row in callers.values() if row.sha256 is not None]),
        ("subject", [row.subject for row in callers.values() if row.subject is not None]),
        ("group", [row.group for row in callers.values() if row.group is not None]),
    ):
        if len(set(marks)) < len(marks):
            raise CallersError(f"{path}: two callers have one {what}; each needs a {what} of its own.")
    for name, row in callers.items():
        if row.subject is not None and _is_anothers(callers, row.subject):
            raise CallersError(f"{path}: {mention(name)} subject: it is another's name in the record.")
    return callers


def _is_anothers(callers: Mapping[str, CallerRow], subject: str) -> bool:
    """Whether the record, or the operator, knows another by what a provider's subject is."""
    if subject == REAPER or subject.startswith(LOCAL):
        return True
    return subject in callers and callers[subject].subject != subject


WRONG_NAME: Final = "a name has up to 64 letters, digits, @, dots, underscores or hyphens."


def _sentence(detail: Any) -> str:
    said, where = forms.say_wrong(detail), detail["loc"]
    if detail["type"] == "extra_forbidden":
        known = ", ".join(CallerRow.model_fields)
        hint = guess(str(where[-1]), CallerRow.model_fields, otherwise=f"known: {known}.")
        said = f"is nothing that a caller has; {hint}"
    end = "" if said.endswith((".", "?")) else "."
    return f"{' '.join(mention(part) for part in where if part != '[key]')}: {said}{end}"


def new_token() -> str:
    """Make a token: 256 random bits."""
    return SHAPE + secrets.token_urlsafe(_BITS // 8)


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def is_token(text: str) -> bool:
    """Whether the text has a token's form; nothing else is looked up."""
    return len(text) == _LENGTH and text.startswith(SHAPE) and text.isascii()


class Callers:
    """The callers as the file says now: who is taken out of it can't call by their token any more.

    Args:
        path: The file; None where the identity provider alone says who may call.

    Raises:
        CallersError: It can't be followed.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._file = None if path is None else Followed(path, read_callers, CallersError)

    def row_of(self, who: Identity) -> CallerRow | None:
        """What the file says of somebody; None if nothing.

        The row of a subject goes before those of groups, and of these the first in the file holds.

        Raises:
            CallersError: It can't be followed now, so nobody may call; or it is another's name.
        """
        rows = self._now()
        if who.proof is Proof.FILE:
            row = rows.get(who.name)
            return row if row is not None and row.sha256 is not None else None
        if _is_anothers(rows, who.name):
            # what one asks for, the other could take a yes for
            raise CallersError("That subject is another caller's name in the record.")
        by_subject = (row for row in rows.values() if row.subject == who.name)
        by_group = (row for row in rows.values() if row.group in who.groups)
        return next(by_subject, None) or next(by_group, None)

    def name_of(self, who: Identity) -> str | None:
        """What the file calls somebody; None if it has no row for them alone, or can't be followed."""
        try:
            rows = self._now()
        except CallersError:
            return None
        if who.proof is Proof.FILE:
            return who.name if who.name in rows else None
        return next((name for name, row in rows.items() if row.subject == who.name), None)

    def names_of(self, who: Identity) -> frozenset[str]:
        """All that somebody is called: by the provider, and in the file; for nobody to trust."""
        called = self.name_of(who)
        return who.known_as if called is None else who.known_as | {called}

    def find(self, token: str) -> Identity | None:
        """Answer whose token of the file this is; None if it is nobody's, or the file can't be followed."""
        if not is_token(token):
            return None
        wanted = digest(token)
        try:
            rows = self._now()
        except CallersError:
            return None
        return next(
            (
                Identity(name)
                for name, row in rows.items()
                if row.sha256 is not None and hmac.compare_digest(row.sha256, wanted)
            ),
            None,
        )

    def _now(self) -> Mapping[str, CallerRow]:
        rows = {} if self._file is None else self._file.now()
        if rows is None:
            raise CallersError("The callers' file can't be followed, so nobody can call.")
        return rows
