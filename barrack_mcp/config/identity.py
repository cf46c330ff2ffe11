"""Who somebody is who comes by HTTP, and who says so: for calls and for the page where people approve alike."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from barrack_mcp.api.text import inline

SCOPE: Final = "barrack:"
"""How the scopes begin that are for us: one for each risk."""
ON_BEHALF_OF: Final = "barrack-mcp/on-behalf-of"
"""Key in a call's `_meta` that says for whom a bot calls; the header is `X-Barrack-On-Behalf-Of`."""
_CLAIM_LONGEST: Final = 255


def claim(text: str) -> str:
    """Make safe, and short, what somebody says of a name; a name that is compared with it is made so likewise."""
    return inline(text.strip(), limit=_CLAIM_LONGEST)


class Proof(StrEnum):
    """How somebody shows who they are."""

    FILE = "file"
    """A token of the callers' file."""
    ISSUER = "issuer"
    """A token that the identity provider signed."""


@dataclass(frozen=True)
class Identity:
    """Who makes a request over HTTP.

    Attributes:
        name: What the record calls them: the name in the callers' file, or the subject of the provider's token.
        proof: How they showed it.
        groups: Theirs, as the provider says.
        scopes: What the token is good for, as the provider says: `barrack:read` and the like alone.
        known_as: What else the provider calls them, such as their mail address; for nobody to trust.
    """

    name: str
    proof: Proof = Proof.FILE
    groups: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    known_as: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where people sign in at the identity provider.

    Attributes:
        issuer: The provider's name.
        authorization: Where their browsers are led.
        token: Where a code that they bring back is exchanged.
    """

    issuer: str
    authorization: str
    token: str


class UnknownYetError(Exception):
    """Nobody can say now whose a token is, since the identity provider can't be asked; one sentence."""


class Identities(Protocol):
    """Says who somebody is by what they show; whoever lets people in by HTTP asks here."""

    async def of_token(self, token: str) -> Identity | None:
        """Answer whose a bearer token is: of the callers' file, or signed by the provider for this server.

        Returns:
            None if it is nobody's, or not good any more.

        Raises:
            UnknownYetError: It can't be said now; nobody is let in.
        """

    async def of_id_token(self, token: str, *, client_id: str, nonce: str) -> Identity | None:
        """Answer whom the provider says has signed in.

        Args:
            token: The ID token, as it came from the provider.
            client_id: The client that it must be for.
            nonce: What was sent along when the signing in began.

        Returns:
            None if it isn't good for that.

        Raises:
            UnknownYetError: It can't be said now; nobody is let in.
        """

    async def places(self) -> Places:
        """Answer where people sign in.

        Raises:
            UnknownYetError: There is no provider, or it doesn't answer, or doesn't say so.
        """
