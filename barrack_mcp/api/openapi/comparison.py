"""A document against our catalogue: what is the same, what differs, and what overrides would mend it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from barrack_mcp.api.openapi.answers import compare_answer
from barrack_mcp.api.openapi.differences import Difference, Findings, Kind, printable
from barrack_mcp.api.openapi.document import Document, TheirOperation
from barrack_mcp.api.openapi.document import ours as our_document
from barrack_mcp.api.openapi.export import SERVER
from barrack_mcp.api.openapi.matching import Match, matched
from barrack_mcp.api.openapi.requests import compare_request
from barrack_mcp.api.wire.loading import from_table
from barrack_mcp.api.wire.overrides import PAGING, ApiOverride, Overrides
from barrack_mcp.catalogue import INFERRED, JsonObject

_BELOW: Final = urlsplit(SERVER).path
_HALF: Final = 0.5


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
        document: The document.
        matches: Ours and theirs that are the same, by the order of our catalogue.
        overrides: What mends the differences of the matches that are sure.
        unsure: What would mend those of the others, as tables by tool; for a person to look at.
        differences: All of them, in the order of our catalogue, those that hold everywhere first.
        findings: By tool, all that the document says of what is the same, whether it differs or not.
    """

    document: Document
    matches: tuple[Match, ...]
    overrides: Overrides
    unsure: Mapping[str, JsonObject]
    differences: tuple[Difference, ...]
    findings: Mapping[str, Findings]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def compare(document: Document) -> Comparison:
    """Compare a document with our catalogue."""
    theirs, _ = below(document)
    return weigh(document, theirs, matched(our_document().operations, theirs))


def weigh(document: Document, theirs: Sequence[TheirOperation], matches: Sequence[Match]) -> Comparison:
    """Compare a document of which it is known what in it is which of ours.

    Args:
        document: The document.
        theirs: Its operations, with paths below the base URL.
        matches: Ours and theirs that are, or may be, the same.
    """
    ours = our_document()
    slash = _slash(theirs)
    findings = [_compared(match, slash) for match in matches]
    paging = _paging(findings)
    for found in findings:
        _settle_paging(found, paging)
    auth = document.auth if document.auth != ours.auth else None
    keys = {"auth_header": auth.header, "auth_template": auth.template} if auth is not None else {}
    everywhere = ({"slash": slash} if slash else {}) | keys | paging
    overrides, mistakes = from_table({"api": everywhere, "operations": _tables(findings, document.name, sure=True)})
    wrong = {way[1]: f"its {'.'.join(way[2:])} {words}" for way, words in mistakes if way[0] == "operations"}
    status: dict[str, dict[str, str]] = {}
    for found in findings:
        found.match = replace(found.match, doubt=found.match.doubt or wrong.get(found.operation.tool, ""))
        for kind, table in found.states.items() if found.match.sure else ():
            status.setdefault(kind, {}).update(table)
    found_matches = tuple(found.match for found in findings)
    differences = [
        *_everywhere(document, overrides.api),
        *_missing(ours.operations, found_matches),
        *(difference for found in findings for difference in _weighed(found)),
        *_extra(theirs, found_matches),
    ]
    return Comparison(
        document=document,
        matches=found_matches,
        overrides=replace(overrides, status=status),
        unsure=_tables(findings, document.name, sure=False),
        differences=tuple(differences),
        findings={found.operation.tool: found for found in findings},
    )


def below(document: Document, base: str = _BELOW) -> tuple[tuple[TheirOperation, ...], str | None]:
    """Their operations with paths below the base URL, and that URL as the document has it, if it names one.

    Args:
        document: The document.
        base: The path of the base URL. A document whose paths begin with it begins at its host's root; what it has
            beside them is out of a tool's reach.
    """
    whole = [(operation, document.prefix + operation.path) for operation in document.operations]
    server = urlsplit(document.url).path.rstrip("/") if document.url else ""
    inside = [(operation, path) for operation, path in whole if path.startswith(f"{base}/")]
    cut = base if base and server != base and len(inside) > len(whole) * _HALF else ""
    url = document.url and document.url.rstrip("/") + cut
    return tuple(replace(operation, path=path[len(cut) :]) for operation, path in (inside if cut else whole)), url


def _slash(theirs: Sequence[TheirOperation]) -> str | None:
    """Whether all of their paths end without a slash, unlike ours."""
    return "never" if all(not operation.path.endswith("/") for operation in theirs) else None


def _compared(match: Match, slash: str | None) -> Findings:
    found = Findings(match)
    compare_request(found)
    compare_answer(found)
    written = found.said.pop("slash", None)
    if written is not None and slash is None:
        found.said["path"] = written
        found.mend(Kind.PATH, match.operation.path, match.theirs.path, "sent as the API has it")
    return found


def _paging(findings: Sequence[Findings]) -> dict[str, str]:
    """The names of paging that most operations share."""
    shared = {}
    for name in PAGING:
        side = "request" if name in ("page", "limit") else "answer"
        counted = Counter(theirs for found in findings if (theirs := found.paging.get(f"{side}.{name}")) is not None)
        paged = sum(found.operation.paged for found in findings)
        if counted and counted.most_common(1)[0][1] > paged * _HALF:
            shared[name] = counted.most_common(1)[0][0]
    return shared


def _settle_paging(found: Findings, shared: dict[str, str]) -> None:
    """Say of one operation what holds in it alone."""
    for key, theirs in found.paging.items():
        name = key.partition(".")[2]
        if shared.get(name) != theirs:
            plain = name if name not in ("page", "limit") else key
            found.fields[plain] = theirs
            found.mend(Kind.PAGING, name, theirs, "renamed")
    if found.operation.paged:
        for name, theirs in shared.items():
            # where this operation keeps our name, say so: the shared one would hide it
            if name in ("page", "limit") and f"request.{name}" not in found.paging:
                found.fields[f"request.{name}"] = name
                found.mend(Kind.PAGING, theirs, name, "renamed")


def _tables(findings: Sequence[Findings], name: str, *, sure: bool) -> dict[str, JsonObject]:
    tables = {}
    for found in findings:
        # what was a guess and is in the document is none any more
        vouched = found.operation.provenance is INFERRED and not found.match.theirs.inferred
        source = {"documented": printable(found.match.theirs.origin or name)} if vouched else {}
        if found.match.sure is sure and (source or found.table):
            tables[found.operation.tool] = source | found.table
    return tables


def _everywhere(document: Document, api: ApiOverride) -> Iterator[Difference]:
    if document.url is not None and document.url != SERVER:
        yield Difference(
            Kind.SERVER, None, SERVER, printable(document.url), "if it is the one you mean, set the API's URL to it"
        )
    if api.auth_header is not None:
        ours = our_document().auth
        shown = f"{ours.header}: {ours.template}" if ours is not None else ""
        theirs = printable(f"{api.auth_header}: {api.auth_template}")
        yield Difference(Kind.AUTH, None, shown, theirs, "sent as the API has it", mended=True)
    if api.slash is not None:
        yield Difference(Kind.PATH, None, "paths end in /", "paths don't", "sent without", mended=True)
    for name in PAGING:
        if (theirs := getattr(api, name)) is not None:
            yield Difference(Kind.PAGING, None, name, printable(theirs), "renamed everywhere", mended=True)


def _missing(ours: Sequence[TheirOperation], matches: Sequence[Match]) -> Iterator[Difference]:
    there = {match.ours.operation_id for match in matches}
    for operation in ours:
        if operation.operation_id not in there:
            todo = "nothing in the document is like it: look there, and give its method and path by hand"
            yield Difference(Kind.MISSING, operation.operation_id, operation.name, "", todo)


def _extra(theirs: Sequence[TheirOperation], matches: Sequence[Match]) -> Iterator[Difference]:
    used = {(match.theirs.method, match.theirs.path) for match in matches}
    for operation in theirs:
        if (operation.method, operation.path) not in used:
            shown = printable(f"{operation.name} ({operation.summary or operation.operation_id or 'no title'})")
            yield Difference(Kind.EXTRA, None, "", shown, "no tool of ours calls it", matters=False)


def _weighed(found: Findings) -> list[Difference]:
    """The differences of one operation; where it may be another one, adopting mends none of them."""
    match = found.match
    if match.sure:
        return found.differences
    todo = f"{match.doubt}: look, and uncomment what adopt wrote for it if it is the same all the same"
    first = Difference(Kind.UNSURE, found.operation.tool, match.ours.name, printable(match.theirs.name), todo)
    return [first, *(replace(difference, mended=False) for difference in found.differences)]
