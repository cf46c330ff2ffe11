"""A passphrase that a person types before a yes out of band counts; only its hash is kept, and that in the settings."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final

PASSPHRASE: Final = "passphrase.hash"  # noqa: S105 - a file's name
"""Where the server leaves the hash, as a person's terminal seldom has the server's settings."""
SHORTEST: Final = 8
"""Characters of a passphrase."""
_NAME: Final = "scrypt"
_COST: Final = 15
"""Power of two: about 32 MB and a tenth of a second for each guess."""
_BLOCK: Final = 8
_SALT: Final = 16
_DIGEST: Final = 32


def hash_passphrase(passphrase: str) -> str:
    """Make the hash that the settings hold; it holds no sign that a shell would read otherwise."""
    salt = secrets.token_bytes(_SALT)
    return ":".join([_NAME, str(_COST), _write(salt), _write(_digest(passphrase, salt))])


def is_passphrase(passphrase: str, hashed: str) -> bool:
    """Whether a hash was made from this passphrase; takes its time, so that guessing takes long."""
    read = _read(hashed)
    return read is not None and hmac.compare_digest(_digest(passphrase, read[0]), read[1])


def is_hash(text: str) -> bool:
    """Whether this is a hash as `hash_passphrase` makes it."""
    return _read(text) is not None


def _digest(passphrase: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        passphrase.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=1 << _COST,
        r=_BLOCK,
        p=1,
        maxmem=1 << 27,
        dklen=_DIGEST,
    )


def _read(hashed: str) -> tuple[bytes, bytes] | None:
    """Answer salt and digest; None for what is no hash of ours."""
    match hashed.split(":"):
        case [name, cost, salt, digest] if (name, cost) == (_NAME, str(_COST)):
            try:
                read = base64.urlsafe_b64decode(salt), base64.urlsafe_b64decode(digest)
            except (binascii.Error, ValueError):
                return None
            return read if (len(read[0]), len(read[1])) == (_SALT, _DIGEST) else None
        case _:
            return None


def _write(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
