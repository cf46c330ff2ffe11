"""Who may see the page: a secret, links that carry a proof of it and work once, and the sessions they open.

The page lives below a path that nobody guesses, made anew at each start. A browser sends cookies to every port of a
machine, but to that path alone; and no proof outlives the process that it was made for.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

import anyio
import anyio.to_thread

from barrack_mcp.guard.passphrase import is_passphrase

LINK_S: Final = 120
"""How long a link to sign in works."""
SESSION_S: Final = 12 * 3600
MIN_SECRET: Final = 16
_MAX_SESSIONS: Final = 32
_BYTES: Final = 32
_ROOM_BYTES: Final = 16
_PARTS: Final = 3


def new_secret() -> str:
    """Make a secret that nobody guesses."""
    return secrets.token_urlsafe(_BYTES)


def new_room() -> str:
    """Make the path below which a page lives from its start to its end."""
    return f"/{secrets.token_urlsafe(_ROOM_BYTES)}"


def login_link(
    origin: str, *, secret: str, approval_id: str | None = None, now: Callable[[], float] = time.time
) -> str:
    """Make a link that signs in once, within two minutes. Anyone who has the secret can make one, in any process.

    Args:
        origin: The page's address with its path, as the page left it; the link is good for no other start of it.
        secret: The page's secret; the link proves it and doesn't hold it.
        approval_id: The request to open; None for the whole list.
        now: The time in seconds since 1970.
    """
    until, nonce = int(now()) + LINK_S, secrets.token_urlsafe(_BYTES)
    query = {"token": f"{until}.{nonce}.{_proof(secret, 'enter', _place(origin), until, nonce)}"}
    if approval_id is not None:
        query["to"] = approval_id
    return f"{origin}/enter?{urlencode(query)}"


def answer_knock(secret: str, address: str, challenge: str) -> str:
    """Prove that who answers at an address knows the secret and serves this very start of the page.

    Args:
        secret: The page's secret.
        address: The page's address with its path.
        challenge: What the one who knocks made up.
    """
    return _proof(secret, "knock", _place(address), challenge)


@dataclass(frozen=True)
class Pass:
    """What a genuine link carries."""

    nonce: str
    until: float


class Entry:
    """Checks secrets and links, and keeps the sessions of one page in memory.

    Args:
        secret: At least 16 characters.
        room: The path below which the page lives.
        passphrase: Hash of what has to be typed beside a link; None where the link is enough.
        now: The time in seconds since 1970.
    """

    def __init__(self, secret: str, *, room: str, passphrase: str | None = None, now: Callable[[], float]) -> None:
        if len(secret) < MIN_SECRET:
            raise ValueError(f"the page's secret needs at least {MIN_SECRET} characters")
        self._secret = secret
        self._room = room
        self._passphrase = passphrase
        self._guessing = anyio.CapacityLimiter(1)
        self._now = now
        self._marking = secrets.token_bytes(_BYTES)
        self._sessions: dict[bytes, float] = {}

    @property
    def wants_passphrase(self) -> bool:
        """Whether a link alone is not enough."""
        return self._passphrase is not None

    async def knows(self, passphrase: str) -> bool:
        """Whether this is the passphrase; one is tried at a time, as each takes much memory."""
        wanted = self._passphrase or ""
        return await anyio.to_thread.run_sync(is_passphrase, passphrase, wanted, limiter=self._guessing)

    def answer(self, challenge: str, *, host: str) -> str:
        """Answer one who knocks, to show that this is the page that they look for."""
        return answer_knock(self._secret, f"http://{host}{self._room}", challenge)

    def read(self, token: str, *, host: str) -> Pass | None:
        """Read a link's token; None if it isn't ours or is for another address. Using it up also checks its time."""
        parts = token.split(".")
        if len(parts) != _PARTS or not (parts[0].isascii() and parts[0].isdigit()):
            return None
        until, nonce, proof = parts
        if not _same(proof, _proof(self._secret, "enter", f"{host}{self._room}", until, nonce)):
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

    def mark(self, session: str, about: str) -> str:
        """Make the mark that a form carries: it shows that this session was shown this; its cookie alone makes none."""
        return hmac.new(self._marking, _bytes(f"{session}\0{about}"), hashlib.sha256).hexdigest()

    def marks(self, mark: str, session: str, about: str) -> bool:
        """Whether a form's mark is genuine."""
        return _same(mark, self.mark(session, about))


def _proof(secret: str, *bound: str | int) -> str:
    return hmac.new(_bytes(secret), _bytes("\0".join(map(str, bound))), hashlib.sha256).hexdigest()


def _place(address: str) -> str:
    whole = urlsplit(address)
    return f"{whole.netloc}{whole.path}"


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _digest(session: str) -> bytes:
    return hashlib.sha256(_bytes(session)).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
