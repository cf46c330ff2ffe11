"""Where an operation that no source has told may be: at the catalogue's own paths, below the addresses learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from barrack_mcp.api.wire.bounds import PLACEHOLDER, contradiction
from barrack_mcp.catalogue import BY_TOOL, Method, Operation

_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Candidate(NamedTuple):
    """One place where an operation may be: below the base URL, with our arguments in braces and no slash at its end."""

    method: Method
    path: str

    @property
    def ends_open(self) -> bool:
        """Whether a value ends it: the address of one thing."""
        return self.path.endswith("}")

    @property
    def parent(self) -> str:
        """The path above it."""
        return self.path.rpartition("/")[0]


def candidates(operation: Operation, known: Mapping[str, str]) -> Iterator[Candidate]:
    """The places where an operation may be, the likeliest first.

    Args:
        operation: The one that is looked for.
        known: The paths that are learned already, by tool.
    """
    bases = _bases(known)
    ways = [(operation.method, operation.path), *((each.method, each.path) for each in operation.alternates)]
    found: dict[Candidate, int] = {}
    for method, path in ways:
        for moved, based in _moved(path.rstrip("/"), bases):
            unlikely = 0 if based or moved.count("/") == 1 else 2
            found.setdefault(Candidate(method, moved), unlikely)
            # a router that makes paths of function names has no dashes in them
            found.setdefault(Candidate(method, _underscored(moved)), unlikely + 1)
    yield from sorted(found, key=found.__getitem__)


def _bases(known: Mapping[str, str]) -> dict[str, str]:
    """Where what begins like a list's or a thing's path of ours goes on in theirs."""
    bases: dict[str, str] = {}
    for tool, path in known.items():
        operation = BY_TOOL[tool]
        if operation.method == "GET":
            theirs = _under_our_names(operation, path)
            for ours in (operation.path, *(each.path for each in operation.alternates)):
                bases.setdefault(ours.rstrip("/"), theirs)
    return bases


def _under_our_names(operation: Operation, path: str) -> str:
    """A learned path with our names for what stands in it, where that is as much."""
    theirs = PLACEHOLDER.findall(path)
    if len(theirs) == len(operation.placeholders):
        names = iter(operation.placeholders)
        path = PLACEHOLDER.sub(lambda _: f"{{{next(names)}}}", path)
    return path.rstrip("/")


def _moved(path: str, bases: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """A path below each base that it begins with, the longest first; as it is if there is none."""
    fitting = sorted((ours for ours in bases if path == ours or path.startswith(f"{ours}/")), key=len, reverse=True)
    for ours in fitting:
        yield bases[ours] + path.removeprefix(ours), True
    if not fitting:
        yield path, False


def _underscored(path: str) -> str:
    above, slash, last = path.rpartition("/")
    return above + slash + (last if last.startswith("{") else last.replace("-", "_"))


def method_there(operation: Operation, candidate: Candidate, methods: frozenset[str]) -> str | None:
    """Which of an address's methods is the operation's; None if none surely is.

    Where a thing or a list is addressed, several methods mean several things, so it is the catalogue's or none; an
    address that is there for one deed is asked with the one method that it has.
    """
    if candidate.method in methods:
        return candidate.method
    if operation.reads:
        return "GET" if "GET" in methods else None
    writes = methods & _WRITES
    if candidate.ends_open or candidate.path.count("/") == 1 or len(writes) != 1:
        return None
    (method,) = writes
    return None if contradiction(operation, method, candidate.path) else method
