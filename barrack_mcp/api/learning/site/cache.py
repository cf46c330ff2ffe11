"""Pages that were read before: kept with what a site needs to say that they are still the same, and never trusted."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

_VALIDATOR: Final = re.compile(r"[\x20-\x7e]{1,300}")
"""What may go back to the site in a header: no line's end, and nothing endless."""
_LONGEST_HEAD: Final = 4_000


class Cache(Protocol):
    """Where bytes are kept by a name, if they can be; what comes back may be anything."""

    def read(self, name: str) -> bytes | None:
        """What is kept under a name; None if nothing is that can be used."""

    def write(self, name: str, content: bytes) -> None:
        """Keep something under a name, if that is possible."""


@dataclass(frozen=True)
class Kept:
    """A page as it was read.

    Attributes:
        body: Its bytes.
        day: When the site last said that this is what stands there.
        etag: What the site calls this state of it; empty if it doesn't.
        modified: When the site says that it was changed, in the site's own spelling; empty if it doesn't.
    """

    body: bytes
    day: date
    etag: str = ""
    modified: str = ""

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that ask for the page only if it is no longer the same."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in asked.items() if value}


def kept_from(body: bytes, headers: Mapping[str, str], day: date) -> Kept:
    """Make what is kept of an answer; its headers are given by their names in small letters."""
    return Kept(body, day, _validator(headers.get("etag")), _validator(headers.get("last-modified")))


def recall(cache: Cache | None, url: str) -> Kept | None:
    """Find what is kept of an address; None if nothing is, or if it isn't whole or is another address's."""
    raw = cache.read(_name(url)) if cache is not None else None
    head, _, body = (raw or b"").partition(b"\n")
    if not head or len(head) > _LONGEST_HEAD:
        return None
    try:
        said = json.loads(head)
        if said["url"] != url or said["digest"] != _digest(body):
            return None
        return Kept(body, date.fromisoformat(said["day"]), _validator(said["etag"]), _validator(said["modified"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def keep(cache: Cache | None, url: str, kept: Kept) -> None:
    """Keep what was read at an address, which was asked without a key."""
    if cache is None:
        return
    said = {"url": url, "digest": _digest(kept.body), "day": kept.day.isoformat()}
    head = json.dumps({**said, "etag": kept.etag, "modified": kept.modified}).encode()
    cache.write(_name(url), head + b"\n" + kept.body)


def _validator(value: object) -> str:
    return value if isinstance(value, str) and _VALIDATOR.fullmatch(value) else ""


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _name(url: str) -> str:
    return f"{_digest(url.encode())[:40]}.page"
