"""What several sources say, made one: the surest first, fact by fact, with where they disagree and what was refused.

One document is put together of all of them, with our operations in it, and compared with the catalogue like anyone's.
So everything learned passes the same bounds as a file by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from barrack_mcp.api.http import checked_url
from barrack_mcp.api.learning.contract.filling import filled, names_asked, names_disputed, says_answer, says_request
from barrack_mcp.api.learning.found import Found, Source
from barrack_mcp.api.openapi.comparison import Comparison, below, weigh
from barrack_mcp.api.openapi.differences import Findings, printable
from barrack_mcp.api.openapi.document import Auth, Document, TheirOperation
from barrack_mcp.api.openapi.document import ours as our_document
from barrack_mcp.api.openapi.matching import Match, matched
from barrack_mcp.api.wire.bounds import place
from barrack_mcp.api.wire.overrides import Overrides, merged
from barrack_mcp.catalogue import BY_TOOL, JsonObject

_SUREST: Final = tuple(Source)
_BY_LIKENESS: Final = "likeness"
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_NO_KEYS: Final = frozenset(
    {"host", "cookie", "connection", "upgrade", "te", "trailer", "transfer-encoding", "expect", "referer", "origin"}
    | {"user-agent", "accept", "accept-encoding", "content-type", "content-length", "content-encoding", "forwarded"}
    | {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "proxy-connection"}
)
"""Headers that say something else on the way: a key in one of them would be read, logged or cut by strangers."""


@dataclass(frozen=True)
class Claim:
    """What one source says of one operation.

    Attributes:
        found: The source.
        findings: What its document says of the operation, against ours.
    """

    found: Found
    findings: Findings

    @property
    def theirs(self) -> TheirOperation:
        """The operation as the source has it, its path below the base URL."""
        return self.findings.match.theirs

    @property
    def place(self) -> str:
        """The page or address that says it."""
        return self.theirs.origin or self.found.place


@dataclass(frozen=True)
class Origins:
    """Whose word counts for an operation.

    Attributes:
        where: For method and path.
        takes: For its arguments; None where nobody says.
        answers: For its answer; None where nobody says.
        added: For arguments that `takes` does not say, by their names.
    """

    where: Claim
    takes: Claim | None = None
    answers: Claim | None = None
    added: Mapping[str, Claim] = field(default_factory=dict)

    @property
    def all(self) -> tuple[Claim, ...]:
        """Each once."""
        claims = (self.where, self.takes, self.answers, *self.added.values())
        return tuple({id(claim): claim for claim in claims if claim is not None}.values())


@dataclass(frozen=True)
class Disagreement:
    """Two sources that say different things, as texts that are safe to show.

    Attributes:
        tool: Of which operation; None for what holds everywhere.
        fact: What it is about.
        taken: What the surer one says.
        taken_from: Its place.
        other: What the other says.
        other_from: Its place.
    """

    tool: str | None
    fact: str
    taken: str
    taken_from: str
    other: str
    other_from: str


@dataclass(frozen=True)
class Refusal:
    """What a source said and nobody may follow.

    Attributes:
        tool: Of which operation; None for what holds everywhere.
        said: What it said.
        why: Why it is not followed, as a clause.
        place: Where it said so.
    """

    tool: str | None
    said: str
    why: str
    place: str


@dataclass(frozen=True)
class Unsure:
    """What may be one of our operations; a person has to look.

    Attributes:
        found: The source.
        match: Ours and theirs.
        table: What would be followed.
    """

    found: Found
    match: Match
    table: JsonObject

    @property
    def refused(self) -> bool:
        """Whether it says itself that it can't be, beyond being only alike."""
        return self.match.how != _BY_LIKENESS


@dataclass(frozen=True)
class Learned:
    """All that was learned.

    Attributes:
        founds: The sources, the surest first.
        comparison: What they say in all, against our catalogue.
        overrides: The same as overrides, with the base URL, if it may be followed.
        origins: By tool, whose word counts.
        url_from: Whose word counts for the base URL; None if it stays.
        auth_from: Whose word counts for the key's header; None if nobody says.
        unsure: What a person has to look at, by tool.
        disagreements: Where sources say different things.
        refused: What is not followed.
    """

    founds: tuple[Found, ...]
    comparison: Comparison
    overrides: Overrides
    origins: Mapping[str, Origins]
    url_from: Found | None
    auth_from: Found | None
    unsure: Mapping[str, Unsure]
    disagreements: tuple[Disagreement, ...]
    refused: tuple[Refusal, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The operations that no source tells for sure."""
        return tuple(tool for tool in BY_TOOL if tool not in self.origins)


def merge(founds: Iterable[Found], *, base: str) -> Learned:
    """Make one of what several sources say.

    Args:
        founds: The sources, in any order.
        base: The base URL in force.
    """
    ordered = tuple(sorted(founds, key=lambda found: _SUREST.index(found.source)))
    claims: dict[str, list[Claim]] = {}
    doubtful: list[tuple[Found, Match, JsonObject]] = []
    urls: list[tuple[str, Found]] = []
    for found in ordered:
        theirs, url = below(found.document, urlsplit(base).path.rstrip("/"))
        if url:
            urls.append((url, found))
        own = weigh(replace(found.document, url=None), theirs, matched(our_document().operations, theirs))
        for match in own.matches:
            tool = match.operation.tool
            if match.sure:
                claims.setdefault(tool, []).append(Claim(found, own.findings[tool]))
            else:
                doubtful.append((found, match, own.unsure.get(tool, {})))
    auth, auth_from, wrong_auths = _auth(ordered)
    comparison, origins, out_of_bounds = _settled(claims, auth)
    unsure, against = _doubts(doubtful, origins)
    url, url_from, wrong_urls = _url(urls, base)
    followed = [(said, found) for said, found in urls if said == base.rstrip("/") or same_site(base, said)]
    overrides, unasked = _without_constants(comparison.overrides, origins)
    if url is not None:
        overrides = merged(overrides, replace(Overrides(), api=replace(overrides.api, url=url)))
    return Learned(
        founds=ordered,
        comparison=comparison,
        overrides=overrides,
        origins=origins,
        url_from=url_from,
        auth_from=auth_from,
        unsure=unsure,
        disagreements=(
            *_urls_disputed(followed),
            *_auths_disputed(ordered, auth, auth_from),
            *_disputed(comparison, origins, claims),
        ),
        refused=(*wrong_urls, *wrong_auths, *out_of_bounds, *unasked, *against),
    )


def _settled(claims: dict[str, list[Claim]], auth: Auth | None) -> tuple[Comparison, dict[str, Origins], list[Refusal]]:
    """Put one document together and compare it; whoever leads out of bounds is left out, the least sure first."""
    standing = {tool: list(claims[tool]) for tool in BY_TOOL if tool in claims}
    alone: set[str] = set()
    refused: list[Refusal] = []
    while True:
        origins, operations = {}, {}
        for tool, some in standing.items():
            origins[tool], operations[tool] = _joined(tool, some[:1] if tool in alone else some)
        matches = [_match(tool, operations[tool], origins[tool]) for tool in operations]
        document = Document("what was learned", auth=auth, operations=tuple(operations.values()))
        comparison = weigh(document, document.operations, matches)
        wrong = {match.operation.tool: match.doubt for match in comparison.matches if not match.sure}
        if not wrong:
            return comparison, origins, refused
        # what one source says is not to be lost by what another adds to it
        if mixed := {tool for tool in wrong if len(origins[tool].all) > 1 and tool not in alone}:
            alone |= mixed
            continue
        least = max(_SUREST.index(standing[tool][0].found.source) for tool in wrong)
        for tool, words in wrong.items():
            claim = standing[tool][0]
            if _SUREST.index(claim.found.source) == least:
                refused.append(Refusal(tool, _said(claim.theirs), printable(words), printable(claim.place)))
                del standing[tool][0]
        standing = {tool: some for tool, some in standing.items() if some}


def _without_constants(overrides: Overrides, origins: Mapping[str, Origins]) -> tuple[Overrides, list[Refusal]]:
    """Leave out what a source would have sent with every write: nobody sees it, and it may decide what is done."""
    refused = []
    operations = dict(overrides.operations)
    for tool, said in overrides.operations.items():
        if said.constants and not BY_TOOL[tool].reads:
            operations[tool] = replace(said, constants={})
            by = origins[tool].takes or origins[tool].where
            for name, value in said.constants.items():
                why = "nobody who says yes to a call would see it: write it under constants yourself if it is right"
                shown = printable(f"{name} = {value!r} with every call")
                refused.append(Refusal(tool, shown, why, printable(by.place)))
    return replace(overrides, operations=operations), refused


def _match(tool: str, operation: TheirOperation, origins: Origins) -> Match:
    (mine,) = (each for each in our_document().operations if each.operation_id == tool)
    return Match(mine, operation, 1.0, origins.where.findings.match.how)


def _joined(tool: str, claims: Sequence[Claim]) -> tuple[Origins, TheirOperation]:
    """One operation out of what several sources say of it, the surest first."""
    where = claims[0]
    takes = next((claim for claim in claims if says_request(claim.theirs)), None)
    answers = next((claim for claim in claims if says_answer(claim.theirs)), None)
    in_path = tuple(each for each in where.theirs.parameters if each.place == "path")
    beside = tuple(each for each in takes.theirs.parameters if each.place != "path") if takes is not None else ()
    made = replace(
        where.theirs,
        operation_id=tool,
        parameters=(*in_path, *beside),
        body=takes.theirs.body if takes is not None else None,
        form=takes is not None and takes.theirs.form,
        answer=answers.theirs.answer if answers is not None else None,
        inferred=False,
    )
    if takes is not None and takes is not where:
        # what stands in one source's path may stand in another's body
        placed = {f"request.{name}" for name in where.findings.placed}
        made = _without(made, {theirs for ours, theirs in takes.findings.pairs.items() if ours in placed})
    added: dict[str, Claim] = {}
    known = dict(takes.findings.pairs) if takes is not None else {}
    for claim in claims:
        if claim is not takes and claim is not answers:
            new = {
                theirs
                for ours, theirs in claim.findings.pairs.items()
                if ours.startswith("request.")
                and ours not in known
                and ours.removeprefix("request.") not in where.findings.placed
            }
            before = names_asked(made)
            made = filled(made, claim.theirs, new)
            for name in names_asked(made) - before:
                added[name] = claim
            known |= {ours: theirs for ours, theirs in claim.findings.pairs.items() if theirs in added}
    return Origins(where, takes, answers, added), made


def _without(operation: TheirOperation, names: set[str]) -> TheirOperation:
    parameters = tuple(each for each in operation.parameters if each.place == "path" or each.name not in names)
    body = operation.body
    if body is not None and names & body.fields.keys():
        body = replace(
            body,
            fields={name: shape for name, shape in body.fields.items() if name not in names},
            required=body.required - names,
        )
    return replace(operation, parameters=parameters, body=body)


def _said(operation: TheirOperation) -> str:
    return printable(operation.name)


def _doubts(
    doubtful: Sequence[tuple[Found, Match, JsonObject]], origins: Mapping[str, Origins]
) -> tuple[dict[str, Unsure], list[Refusal]]:
    """What a person has to look at, and what is refused, since it says itself that it can't be."""
    unsure: dict[str, Unsure] = {}
    refused = []
    for found, match, table in doubtful:
        tool, one = match.operation.tool, Unsure(found, match, table)
        if one.refused:
            where = printable(match.theirs.origin or found.place)
            refused.append(Refusal(tool, _said(match.theirs), printable(match.doubt), where))
        if tool not in origins:
            unsure.setdefault(tool, one)
    return unsure, refused


def _auth(founds: Sequence[Found]) -> tuple[Auth | None, Found | None, list[Refusal]]:
    refused = []
    for found in founds:
        auth = found.document.auth
        if auth is None:
            continue
        if not may_hold_the_key(auth.header):
            why = "it is no header of its own, so the key stays where it is"
            refused.append(Refusal(None, printable(f"the key in {auth.header}"), why, printable(found.place)))
        else:
            return auth, found, refused
    return None, None, refused


def may_hold_the_key(header: str) -> bool:
    """Whether a header is one that nobody on the way reads, keeps or cuts."""
    return header.casefold() not in _NO_KEYS and _HEADER.fullmatch(header) is not None


def _auths_disputed(founds: Sequence[Found], auth: Auth | None, by: Found | None) -> Iterator[Disagreement]:
    for found in founds:
        other = found.document.auth
        if auth is not None and by is not None and other not in (None, auth):
            shown = [printable(f"{each.header}: {each.template}") for each in (auth, other) if each is not None]
            yield Disagreement(None, "key", shown[0], printable(by.place), shown[1], printable(found.place))


def _url(urls: Sequence[tuple[str, Found]], base: str) -> tuple[str | None, Found | None, list[Refusal]]:
    """The base URL of the surest source, if it may be followed; None if it is the one in force."""
    refused: dict[str, Refusal] = {}
    taken: tuple[str, Found] | None = None
    for url, found in urls:
        if url == base.rstrip("/"):
            taken = taken or (url, found)
        elif not same_site(base, url):
            why = "it is not https below the host in force: if it is the right one, set BARRACK_API_URL to it yourself"
            refused.setdefault(url, Refusal(None, printable(f"the API at {url}"), why, printable(found.place)))
        else:
            taken = taken or (url, found)
    if taken is None or taken[0] == base.rstrip("/"):
        return None, None, [*refused.values()]
    return *taken, [*refused.values()]


def _urls_disputed(urls: Sequence[tuple[str, Found]]) -> Iterator[Disagreement]:
    """Where sources name different base URLs, each of which might be followed."""
    for url, found in urls[1:]:
        if url != urls[0][0]:
            taken, by = urls[0]
            said = [printable(each) for each in (taken, by.place, url, found.place)]
            yield Disagreement(None, "address", *said)


def same_site(base: str, url: str) -> bool:
    """Whether a key for `base` may go to `url` without a person's word.

    Whoever holds a host's name decides on every name below it, and on nobody's beside or above it. So: https, the usual
    port or the same one, and the host itself or one below it.
    """
    try:
        checked_url(url)
        here, there = urlsplit(base), urlsplit(url)
        ports = (here.port or 443, there.port or 443)
    except ValueError:
        return False
    mine, other = (here.hostname or "").lower(), (there.hostname or "").lower()
    if here.scheme != "https" or there.scheme != "https" or ports[0] != ports[1]:
        return False
    named = not mine.replace(".", "").isdigit() and ":" not in mine and "." in mine
    return other == mine or (named and other.endswith(f".{mine}"))


def _disputed(
    comparison: Comparison, origins: Mapping[str, Origins], claims: Mapping[str, Sequence[Claim]]
) -> Iterator[Disagreement]:
    """Where what one source says of an operation is not what is followed."""
    for tool, whose in origins.items():
        taken = comparison.findings[tool]
        for claim in claims[tool]:
            if claim is not whose.where:
                yield from _places_disputed(tool, whose.where, claim)
            if whose.takes is not None and claim is not whose.takes:
                yield from _arguments_disputed(tool, taken, whose, whose.takes, claim)
            if whose.answers is not None and claim is not whose.answers and says_answer(claim.theirs):
                yield from _answers_disputed(tool, taken, whose.answers, claim)


def _told(tool: str, fact: str, taken: tuple[Claim, str], other: tuple[Claim, str]) -> Disagreement:
    shown = [printable(each) for claim, said in (taken, other) for each in (said, claim.place)]
    return Disagreement(tool, printable(fact), *shown)


def _places_disputed(tool: str, by: Claim, claim: Claim) -> Iterator[Disagreement]:
    mine, other = by.theirs, claim.theirs
    if mine.method != other.method:
        yield _told(tool, "method", (by, mine.method), (claim, other.method))
    ways = by.findings.written, claim.findings.written
    if place("", ways[0]) != place("", ways[1]) or ways[0].endswith("/") != ways[1].endswith("/"):
        yield _told(tool, "path", (by, mine.path), (claim, other.path))


def _arguments_disputed(
    tool: str, taken: Findings, whose: Origins, takes: Claim, claim: Claim
) -> Iterator[Disagreement]:
    for ours, theirs in claim.findings.pairs.items():
        counts = taken.pairs.get(ours)
        if ours.startswith("request.") and counts not in (None, theirs):
            by = whose.added.get(str(counts), takes)
            yield _told(tool, ours.removeprefix("request."), (by, str(counts)), (claim, theirs))
    for fact, mine, other in names_disputed(taken.match.theirs, claim.theirs):
        yield _told(tool, fact, (takes, mine), (claim, other))


def _answers_disputed(tool: str, taken: Findings, by: Claim, claim: Claim) -> Iterator[Disagreement]:
    mine, other = (str(each.said.get("result") or each.operation.result) for each in (taken, claim.findings))
    if mine != other:
        yield _told(tool, "result", (by, mine), (claim, other))
    for ours, theirs in claim.findings.pairs.items():
        counts = taken.pairs.get(ours)
        if ours.startswith("answer.") and counts not in (None, theirs):
            yield _told(tool, ours, (by, str(counts)), (claim, theirs))
