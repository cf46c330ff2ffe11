"""Who may see the page: a secret, links that carry a proof of it and work once, and the sessions they open."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

LINK_S: Final = 120
"""How long a link to sign in works."""
SESSION_S: Final = 12 * 3600
MIN_SECRET: Final = 16
_MAX_SESSIONS: Final = 32
_BYTES: Final = 32
_PARTS: Final = 3


def new_secret() -> str:
    """Make a secret that nobody guesses."""
    return secrets.token_urlsafe(_BYTES)


def login_link(
    origin: str, *, secret: str, approval_id: str | None = None, now: Callable[[], float] = time.time
) -> str:
    """Make a link that signs in once, within two minutes. Anyone who has the secret can make one, in any process.

    Args:
        origin: The page's address, such as `http://127.0.0.1:40123`.
        secret: The page's secret; the link proves it and doesn't hold it.
        approval_id: The request to open; None for the whole list.
        now: The time in seconds since 1970.
    """
    until, nonce = int(now()) + LINK_S, secrets.token_urlsafe(_BYTES)
    query = {"token": f"{until}.{nonce}.{_proof(secret, urlsplit(origin).netloc, until, nonce)}"}
    if approval_id is not None:
        query["to"] = approval_id
    return f"{origin}/enter?{urlencode(query)}"


@dataclass(frozen=True)
class Pass:
    """What a genuine link carries."""

    nonce: str
    until: float


class Entry:
    """Checks secrets and links, and keeps the sessions of one page in memory.

    Args:
        secret: At least 16 characters.
        now: The time in seconds since 1970.
    """

    def __init__(self, secret: str, *, now: Callable[[], float]) -> None:
        if len(secret) < MIN_SECRET:
            raise ValueError(f"the page's secret needs at least {MIN_SECRET} characters")
        self._secret = secret
        self._now = now
        self._sessions: dict[bytes, float] = {}

    def knows(self, secret: str) -> bool:
        """Whether this is the secret."""
        return _same(secret, self._secret)

    def read(self, token: str, *, host: str) -> Pass | None:
        """Read a link's token; None if it isn't ours or is for another address. Using it up also checks its time."""
        parts = token.split(".")
        if len(parts) != _PARTS or not (parts[0].isascii() and parts[0].isdigit()):
            return None
        until, nonce, proof = parts
        if not _same(proof, _proof(self._secret, host, until, nonce)):
            return None
        return Pass(nonce, int(until))

    def open(self, before: str) -> str:
        """Open a session; answers what its cookie holds. Where there are too many, the oldest ends.

        Args:
            before: What the cookie held; a session that is open goes on, as the forms in other tabs carry its mark.
        """
        session = before if self.holds(before) else secrets.token_urlsafe(_BYTES)
        self._sessions.pop(_digest(session), None)
        while len(self._sessions) >= _MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[_digest(session)] = self._now() + SESSION_S
        return session

    def holds(self, session: str) -> bool:
        """Whether a cookie's session is open."""
        return self._now() < self._sessions.get(_digest(session), 0)

    @staticmethod
    def mark(session: str, approval_id: str) -> str:
        """Make the mark that a form carries: it shows that this session was shown this request."""
        return hmac.new(_bytes(session), _bytes(approval_id), hashlib.sha256).hexdigest()

    def marks(self, mark: str, session: str, approval_id: str) -> bool:
        """Whether a form's mark is genuine."""
        return _same(mark, self.mark(session, approval_id))


def _proof(secret: str, host: str, until: int | str, nonce: str) -> str:
    return hmac.new(_bytes(secret), _bytes(f"enter\0{host}\0{until}\0{nonce}"), hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _digest(session: str) -> bytes:
    return hashlib.sha256(_bytes(session)).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
