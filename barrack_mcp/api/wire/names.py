"""How alike two names are, in the words of this field; and the best pairing of two sets of names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_SYNONYMS: Final = (
    ("instance", "vm", "server", "machine", "node", "host"),
    ("volume", "disk"),
    ("snapshot", "backup"),
    ("firewall", "securitygroup"),
    ("script", "recipe"),
    ("name", "label", "title"),
    ("id", "uuid", "identifier", "ref", "pk"),
    ("region", "location", "zone", "datacenter", "site"),
    ("tier", "plan", "class"),
    ("status", "state", "phase"),
    ("count", "number", "num", "quantity", "qty", "amount"),
    ("size", "capacity"),
    ("created", "creation", "inserted"),
    ("updated", "modified", "changed"),
    ("description", "note", "notes", "comment"),
    ("type", "kind"),
    ("limit", "perpage", "pagesize", "rows"),
    ("spec", "specification", "hardware"),
    ("price", "pricing", "rate"),
    ("billing", "cost", "charge", "invoice"),
    ("balance", "credit"),
    ("minimum", "min", "lowest"),
    ("maximum", "max", "highest"),
    ("prefix", "cidr", "network"),
    ("port", "ports"),
    ("stock", "availability"),
    ("ingress", "inbound", "incoming"),
    ("egress", "outbound", "outgoing"),
)
_VERBS: Final = (
    ("list", "get", "show", "retrieve", "read", "fetch", "describe", "view", "lookup", "find", "search", "query"),
    ("create", "add", "new", "make", "post", "deploy", "launch", "provision", "save", "import", "upload", "register"),
    ("delete", "remove", "destroy", "terminate", "drop", "erase"),
    ("update", "edit", "modify", "patch", "change", "replace", "rename"),
    ("attach", "connect", "mount"),
    ("detach", "disconnect", "unmount"),
    ("start", "boot", "poweron"),
    ("stop", "shutdown", "halt", "poweroff"),
    ("reboot", "restart", "reset"),
    ("hibernate", "suspend", "pause", "sleep"),
    ("restore", "resume", "wake", "unpause"),
    ("clone", "copy", "duplicate"),
    ("resize", "extend", "grow", "enlarge"),
    ("toggle", "flip"),
)
_CANONICAL: Final = {word: group[0] for group in _SYNONYMS for word in group}
_ACTION: Final = {word: group[0] for group in _VERBS for word in group}
_EMPTY: Final = frozenset({"a", "an", "the", "of", "to", "for", "from", "in", "on", "at", "by", "and", "or", "your"})
_EMPTY_HERE: Final = frozenset({"api", "v1", "v2", "available", "information", "details", "all"})
_NO_PLURALS: Final = frozenset({"status", "dns"})
_JOINED: Final = (("per page", "perpage"), ("page size", "pagesize"), ("security group", "securitygroup"))
_SECRETS: Final = frozenset(
    {
        "password",
        "passwd",
        "pwd",
        "passphrase",
        "passcode",
        "secret",
        "token",
        "credential",
        "credentials",
        "otp",
        "pin",
    }
)
_PARTS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


@lru_cache(maxsize=65_536)
def words(name: str) -> tuple[str, ...]:
    """Take a name apart: `vmName`, `vm_name` and `VM name` are the same words, in the singular and lower case."""
    text = " ".join(part.lower() for part in _PARTS.findall(name[:200]))
    for parted, joined in _JOINED:
        text = text.replace(parted, joined)
    return tuple(_singular(word) for word in text.split())


def _singular(word: str) -> str:
    if word.endswith("s") and not word.endswith(("ss", "is")) and len(word) > 2 and word not in _NO_PLURALS:  # noqa: PLR2004 - "os"
        return word[:-3] + "y" if word.endswith("ies") else word[:-1]
    return word


@lru_cache(maxsize=65_536)
def meaning(name: str) -> frozenset[str]:
    """The words that carry meaning, each under the word of this field for it."""
    found = words(name)
    carrying = [word for word in found if word not in _EMPTY and word not in _EMPTY_HERE]
    return frozenset(_CANONICAL.get(word, _ACTION.get(word, word)) for word in carrying or found)


@lru_cache(maxsize=65_536)
def actions(name: str) -> frozenset[str]:
    """What a name says is done: `shut_down`, `stop` and `halt` are one action."""
    return frozenset(_ACTION[word] for word in (*words(name), plain(name)) if word in _ACTION)


def names_a_secret(name: str) -> bool:
    """Whether a name says that what it names is not for everybody's eyes."""
    said = {*words(name), *re.split(r"[^a-z0-9]+", name.lower())}
    return bool(said & _SECRETS) or ("key" in said and bool(said & {"private", "api", "access"}))


@lru_cache(maxsize=65_536)
def plain(name: str) -> str:
    """A name as its letters and digits alone, in lower case."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


@lru_cache(maxsize=65_536)
def alike(ours: str, theirs: str) -> float:
    """How alike two names are, from 0 to 1; 1 only for the same letters and digits."""
    if plain(ours) == plain(theirs) and plain(ours):
        return 1.0
    return max(_overlap(meaning(ours), meaning(theirs)), _overlap(_parts(ours), _parts(theirs)))


@lru_cache(maxsize=65_536)
def _parts(name: str) -> frozenset[str]:
    """The words of a name where capitals part nothing, as in `NVMe` and `IPv4`."""
    return frozenset(_CANONICAL.get(part, part) for part in re.split(r"[^a-z0-9]+", name[:200].lower()) if part)


def _overlap(left: frozenset[str], right: frozenset[str]) -> float:
    if not left or not right:
        return 0.0
    numbers = [{word for word in side if word.isdigit()} for side in (left, right)]
    if all(numbers) and numbers[0] != numbers[1]:
        return 0.0
    shared = len(left & right)
    return 0.95 * 2 * shared / (len(left) + len(right))


def paired(scores: Sequence[Sequence[float]], least: float) -> list[tuple[int, int]]:
    """Pair rows with columns, the most alike first; none is used twice.

    Args:
        scores: One row for each thing of ours, one column for each of theirs.
        least: A pair below this is none.

    Returns:
        Pairs of row and column, by row.
    """
    likely = [(-score, row, column) for row, line in enumerate(scores) for column, score in enumerate(line)]
    columns: dict[int, int] = {}
    for score, row, column in sorted(likely):
        if -score >= least and row not in columns and column not in columns.values():
            columns[row] = column
    return sorted(columns.items())
