"""Who may say yes to what: approvers, and with four eyes nobody to what they ask for themselves. Pure functions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Self

from barrack_mcp.api.text import fold_looks, mention
from barrack_mcp.config.identity import claim
from barrack_mcp.state.store import Approval

ON_THE_PAGE: Final = "on the page"
"""How an answer given on the approval page is recorded; where people sign in to it, after their name."""
_GROUP: Final = "group:"
_NO_APPROVER: Final = "You are not among those who may approve here, so somebody else has to answer this."
_OWN: Final = "You asked for this yourself, so somebody else has to approve it."
_FOR_YOU: Final = "This is said to be asked for on your behalf, so somebody else has to approve it."


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who signed in.

    Attributes:
        name: The name under which they call, and under which their answers are recorded.
        approver: Whether the callers' file makes them one who may say yes.
        groups: The groups that they are in, by the word of who knows them.
        known_as: What else they are called; it only ever finds one more request to be theirs.
        called: The name of their row in the callers' file, which nobody else can have; None if they have none.
    """

    name: str
    approver: bool = False
    groups: frozenset[str] = frozenset()
    known_as: frozenset[str] = frozenset()
    called: str | None = None


@dataclass(frozen=True, kw_only=True)
class Approvers:
    """Who may say yes, beside those whom the callers' file makes approvers.

    Attributes:
        names: Their names.
        groups: Groups whose members may.
        four_eyes: Whether nobody may to what they ask for themselves, or what is asked for on their behalf.
    """

    names: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    four_eyes: bool = True

    @classmethod
    def of_words(cls, words: Collection[str], *, four_eyes: bool) -> Self:
        """Read names, and groups as `group:NAME`."""
        groups = frozenset(word.removeprefix(_GROUP) for word in words if word.startswith(_GROUP))
        names = frozenset(word for word in words if not word.startswith(_GROUP))
        return cls(names=names, groups=groups, four_eyes=four_eyes)

    def include(self, person: Person) -> bool:
        """Whether a person may say yes to what others ask for."""
        named = person.name in self.names or person.called in self.names
        return person.approver or named or bool(person.groups & self.groups)

    def why_not(self, person: Person, approval: Approval) -> str | None:
        """Say why a person may not say yes to a request; None if they may."""
        if not self.include(person):
            return _NO_APPROVER
        if not self.four_eyes:
            return None
        known = (person.name, *person.known_as)
        asked_by = (approval.caller, *(approval.known_as or ()))
        if any(_may_be_one(asker, name) for asker in asked_by for name in known):
            return _OWN
        claimed = approval.on_behalf_of
        # a claim was made safe to show, so the names that it may mean are, too
        if claimed is not None and any(_may_be_one(claimed, name) for name in (*known, *map(claim, known))):
            return _FOR_YOU
        return None

    def may_see(self, person: Person, approval: Approval) -> bool:
        """Whether a person is shown a request, and may say no to it: an approver, and who asks for it."""
        return self.include(person) or approval.caller == person.name


def name_asker(approval: Approval) -> str:
    """Say who asks, and for whom they say that they do: what is claimed is told as that."""
    claimed = "" if approval.on_behalf_of is None else f", which says it acts for {mention(approval.on_behalf_of)},"
    return f"{mention(approval.caller)}{claimed}"


def sign(name: str | None) -> str:
    """Write down who answers on the page.

    Args:
        name: The name of who signed in; None where the page knows no names.
    """
    return ON_THE_PAGE if name is None else f"{name} {ON_THE_PAGE}"


def is_signed_on_page(signature: str) -> bool:
    """Whether an answer was given on the page."""
    return signature.endswith(ON_THE_PAGE)


def find_signer(signature: str) -> str | None:
    """Answer the name of who answered on the page; None if it was answered elsewhere, or no name is known."""
    name = signature.removesuffix(f" {ON_THE_PAGE}")
    return None if name == signature else name


def _may_be_one(one: str, other: str) -> bool:
    """Whether two names may be one person's: what looks alike, a name and a mail address that begins with it, may."""
    (name, _, place), (other_name, _, other_place) = (fold_looks(each).partition("@") for each in (one, other))
    return name == other_name and (place == other_place or not place or not other_place)
