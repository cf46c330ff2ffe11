"""Whether the API takes the key, and in which header: asked with GET, of the configured host alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from barrack_mcp.api.probe import Form, Heard, Probe, Trouble
from barrack_mcp.api.text import cite
from barrack_mcp.cli.doctor.report import Check, Verdict
from barrack_mcp.cli.process import ExitCode

FORMS: Final = (
    Form("Authorization", "Bearer {key}"),
    Form("X-API-Key", "{key}"),
    Form("Authorization", "Api-Key {key}"),
    Form("Authorization", "Token {key}"),
    Form("Api-Key", "{key}"),
    Form("Authorization", "{key}"),
    Form("X-Auth-Token", "{key}"),
)
"""How APIs of this kind take a key, the usual ways first."""

_NAME: Final = "key accepted"
_MOST_WAYS: Final = 3


@dataclass(frozen=True, slots=True)
class Ways:
    """Paths to knock at.

    Attributes:
        documented: The one that the vendor documents, as the contract has it.
        others: Reads without arguments that should want a key, should the documented one want none.
    """

    documented: str
    others: tuple[str, ...] = ()


async def accepted(
    probe: Probe, ways: Ways, form: Form, without: Heard, *, seconds: float
) -> tuple[Check, Form | None]:
    """Try the key where it is wanted, as set and then in the other usual forms; answers the other one that works."""
    path = await _closed(probe, ways, without, seconds=seconds)
    if path is None:
        why = "is open to everyone" if without.succeeded else f"answers {without.status} without a key, too"
        return Check(_NAME, Verdict.UNTRIED, f"The documented path {why}; the reads tell."), None
    heard = await probe.get(path, seconds=seconds, form=form)
    if isinstance(heard, Trouble):
        return silent("The API answers without a key, and not with one."), None
    if not heard.refuses_key:
        return _unrefused(heard), None
    return await _other_form(probe, path, form, heard.status, seconds=seconds)


def _unrefused(heard: Heard) -> Check:
    """Say what came to the key where it was not refused."""
    if heard.gateway is not None and not heard.redirects:
        told = f"{heard.gateway.sentence} (HTTP {heard.status}), once the key is sent."
        return Check(_NAME, Verdict.FAILS, told, heard.gateway.mend, ExitCode.UNREACHABLE)
    if heard.throttles:
        return Check(_NAME, Verdict.FAILS, "The API wants fewer requests (429).", "Try again in a minute.")
    if heard.in_trouble:
        return Check(_NAME, Verdict.UNTRIED, f"The API answers {heard.status} to the key; the reads tell.")
    return Check(_NAME, Verdict.OK, "The API accepts the key.")


async def _closed(probe: Probe, ways: Ways, without: Heard, *, seconds: float) -> str | None:
    """Find a path that wants a key: the documented one, or a read that says so; None if none does."""
    if without.refuses_key:
        return ways.documented
    for path in ways.others[:_MOST_WAYS]:
        heard = await probe.get(path, seconds=seconds)
        if isinstance(heard, Heard) and heard.refuses_key:
            return path
    return None


async def _other_form(probe: Probe, path: str, form: Form, first: int, *, seconds: float) -> tuple[Check, Form | None]:
    others = [other for other in FORMS if other != form]
    for other in others:
        heard = await probe.get(path, seconds=seconds, form=other)
        if isinstance(heard, Heard) and not (heard.refuses_key or heard.in_trouble or heard.throttles):
            told = f"{cite(f'{other.header}: {other.template}')}, not as {cite(f'{form.header}: {form.template}')}"
            mend = f"Set BARRACK_AUTH_HEADER={other.header} and BARRACK_AUTH_TEMPLATE='{other.template}'."
            return Check(_NAME, Verdict.FAILS, f"The API takes the key as {told}.", mend, ExitCode.KEY), other
    why = (
        "the key is wrong, revoked or of another account"
        if first == HTTPStatus.UNAUTHORIZED
        else "it is not allowed to do this"
    )
    told = f"The API does not accept the key ({first}, in any of {len(others) + 1} usual forms): {why}."
    return Check(
        _NAME, Verdict.FAILS, told, "Make a new key in your account at Barrack and set it.", ExitCode.KEY
    ), None


def by_reads(checks: tuple[Check, ...], refused: int, answered: int) -> tuple[Check, ...]:
    """Say of the key what the reads told, where the documented path could not.

    Args:
        checks: The checks so far.
        refused: How many reads the API refused to this key.
        answered: How many it answered that it may refuse.
    """
    return tuple(_told_by_reads(check, refused, answered) for check in checks)


def _told_by_reads(check: Check, refused: int, answered: int) -> Check:
    if check.name != _NAME or check.verdict is not Verdict.UNTRIED or not refused + answered:
        return check
    if refused and not answered:
        told = "The API refuses every read to this key: it is wrong or revoked, or rides in another header."
        mend = "Make a new key, or set BARRACK_AUTH_HEADER and BARRACK_AUTH_TEMPLATE as the vendor says."
        return replace(check, verdict=Verdict.FAILS, sentence=told, mend=mend, code=ExitCode.KEY)
    if answered and not refused:
        return replace(check, verdict=Verdict.OK, sentence="Every read that answers answers with this key.")
    return replace(check, verdict=Verdict.WARNING, sentence="Some reads are refused to this key; see below.")


def silent(told: str) -> Check:
    """Say that no answer came while the key was tried."""
    return Check(_NAME, Verdict.FAILS, told, "Try again later.", ExitCode.UNREACHABLE)
