"""What a browser carries of a sign-in: sealed, so that every replica reads it and nobody can make or change one.

Nothing of it is kept here. The keys are those of the state: a session is good with that state and no other.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from mcp.server.request_state import AESGCMRequestStateCodec, InvalidRequestState

from barrack_mcp.config.identity import Proof

_ID_BYTES: Final = 16
_LONGEST: Final = 4_096
"""Letters of what a browser may carry."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """A sign-in.

    Attributes:
        id: Tells it from every other.
        name: Who signed in.
        proof: How they showed who they are.
        bound: To what that was tied then: once it isn't so any more, the session has ended.
        groups: The groups that they were in then.
        known_as: What else they are called.
        until: When it ends, in seconds since 1970.
    """

    id: str
    name: str
    proof: Proof
    bound: str
    groups: tuple[str, ...] = ()
    known_as: tuple[str, ...] = ()
    until: float


def new_id() -> str:
    """Make what tells a session from every other."""
    return secrets.token_urlsafe(_ID_BYTES)


class Seals:
    """Seals what browsers carry, and opens it again.

    Args:
        keys: Those of the state, newest first: the first seals, all open.
        now: The time in seconds since 1970.
    """

    def __init__(self, keys: Sequence[str], *, now: Callable[[], float]) -> None:
        # a key of its own for each purpose: nothing sealed for one is good for another
        self._codec = AESGCMRequestStateCodec([_derive(key, "seal") for key in keys])
        self._marking = [_derive(key, "mark") for key in keys]
        self._now = now

    def seal(self, purpose: str, carried: dict[str, Any], *, until: float) -> str:
        """Seal what a browser shall carry until then, for one purpose."""
        return self._codec.seal(json.dumps([purpose, until, carried]).encode())

    def open(self, purpose: str, sealed: str) -> dict[str, Any] | None:
        """Open what a browser carries; None if it isn't ours, is for another purpose, or is too old."""
        if not sealed or len(sealed) > _LONGEST:
            return None
        try:
            sealed_for, until, carried = json.loads(self._codec.unseal(sealed))
        except InvalidRequestState:
            return None
        return dict(carried) if sealed_for == purpose and self._now() < until else None

    def seal_session(self, session: Session) -> str:
        """Make what a cookie holds."""
        return self.seal("session", asdict(session), until=session.until)

    def open_session(self, sealed: str) -> Session | None:
        """Read what a cookie holds; None if that is no session, or one that has ended."""
        carried = self.open("session", sealed)
        if carried is None:
            return None
        lists = {name: tuple(carried[name]) for name in ("groups", "known_as")}
        return Session(**carried | lists | {"proof": Proof(carried["proof"])})

    def mark(self, session: str, about: str) -> str:
        """Make the mark that a form carries: it shows that this session was shown this."""
        return _mark(self._marking[0], session, about)

    def marks(self, mark: str, session: str, about: str) -> bool:
        """Whether a form's mark is genuine, whichever of the keys made it."""
        given = mark.encode("utf-8", "surrogatepass")
        return any(hmac.compare_digest(given, _mark(key, session, about).encode()) for key in self._marking)


def _derive(key: str, purpose: str) -> bytes:
    return hmac.new(key.encode(), f"approval page: {purpose}".encode(), hashlib.sha256).digest()


def _mark(key: bytes, session: str, about: str) -> str:
    told = f"{session}\0{about}".encode("utf-8", "surrogatepass")
    return hmac.new(key, told, hashlib.sha256).hexdigest()
