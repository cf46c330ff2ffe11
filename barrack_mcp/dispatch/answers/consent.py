"""Who agreed to what was sent: in fields, and in a sentence that a reply can repeat without making anything up."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from barrack_mcp.api.text import mention
from barrack_mcp.catalogue.outcome import Confirmed
from barrack_mcp.guard.approvals import ON_THE_PAGE, find_signer, is_signed_on_page
from barrack_mcp.guard.ruling.ruling import Passed

_APPROVED: Final = "approved by "
_ASKS_NOBODY: Final = "never asks"
_UNATTENDED: Final = "unattended"

_SENTENCES: Final = MappingProxyType(
    {
        "elicited": "A person approved it, asked through the client.",
        "page": "A person approved it on the approval page.",
        "terminal": "A person approved it at a terminal.",
        "unattended": "Nobody was asked: the operator lets this run unattended.",
        "not_needed": "Nobody was asked: this needs no approval.",
    }
)


def confirm(passed: Passed, *, caller: str, now: float, at_terminal: bool = False) -> Confirmed:
    """Say who agreed to a call.

    Args:
        passed: How the guard let it pass.
        caller: Who made it: who answers a question that is put through the client.
        now: Seconds since 1970.
        at_terminal: Whether that person sits at the terminal where the call was made.
    """
    at = datetime.fromtimestamp(now, tz=UTC).isoformat(timespec="seconds")
    if passed.how == _ASKS_NOBODY:
        return Confirmed(how="not_needed")
    if passed.how == _UNATTENDED:
        return Confirmed(how="unattended")
    if not passed.how.startswith(_APPROVED):
        return Confirmed(how="terminal" if at_terminal else "elicited", by=caller, at=at)
    by = passed.how.removeprefix(_APPROVED)
    if not is_signed_on_page(by):
        return Confirmed(how="terminal", by=by, at=at)
    return Confirmed(how="page", by=find_signer(by) or by, at=at)


def tell_confirmed(confirmed: Confirmed) -> str:
    """Say in a sentence who agreed."""
    if confirmed.how == "page" and confirmed.by != ON_THE_PAGE:
        return f"{mention(confirmed.by)} approved it on the approval page."
    return _SENTENCES[confirmed.how]
