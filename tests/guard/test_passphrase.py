"""The hash of a passphrase to the letter: what it is made of, what fits it, and what is none."""

from __future__ import annotations

import base64
import hashlib

import pytest

from barrack_mcp.guard.passphrase import hash_passphrase, is_hash, is_passphrase

RIGHT = "corréct horse \ud800"
"""Also what a terminal of another encoding may hand over."""
SALT, DIGEST = b"0123456789abcdef", b"of thirty-two bytes, not a more.."


def written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def hashed(*parts: str) -> str:
    return ":".join(parts)


GOOD = hashed("scrypt", "15", written(SALT), written(DIGEST[:32]))


def test_a_passphrase_is_kept_as_a_costly_hash_with_a_salt_of_its_own() -> None:
    one, other = hash_passphrase(RIGHT), hash_passphrase(RIGHT)
    name, cost, salt, digest = one.split(":")
    assert (name, cost) == ("scrypt", "15")
    assert other.split(":")[2] != salt
    again = hashlib.scrypt(
        RIGHT.encode("utf-8", "surrogatepass"),
        salt=base64.urlsafe_b64decode(salt),
        n=2**15,
        r=8,
        p=1,
        maxmem=2**27,
        dklen=32,
    )
    assert digest == written(again)
    assert is_hash(one)
    assert (is_passphrase(RIGHT, one), is_passphrase(RIGHT + " ", one)) == (True, False)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (GOOD, True),
        ("", False),
        (GOOD + ":", False),
        (hashed("scrypt", "15", written(SALT)), False),
        (hashed("argon2", "15", written(SALT), written(DIGEST[:32])), False),
        (hashed("scrypt", "14", written(SALT), written(DIGEST[:32])), False),
        (hashed("scrypt", "15", written(SALT[:15]), written(DIGEST[:32])), False),
        (hashed("scrypt", "15", written(SALT), written(DIGEST)), False),
        (hashed("scrypt", "15", "a", written(DIGEST[:32])), False),
        (hashed("scrypt", "15", "é" * 24, written(DIGEST[:32])), False),
    ],
)
def test_only_what_was_made_as_ours_is_a_hash_and_nothing_fits_what_is_none(text: str, *, is_one: bool) -> None:
    assert is_hash(text) is is_one
    assert not is_passphrase("", text)
