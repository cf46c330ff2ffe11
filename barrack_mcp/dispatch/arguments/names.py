"""A thing's unique name is as good as its id: found in the list of its kind before anything is planned or sent.

What looks like an id of the API is taken for one without a look. A name counts letter by letter: what only comes near
is offered, never taken, since the wrong thing might be destroyed.
"""

from __future__ import annotations

import difflib
import heapq
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import anyio

from barrack_mcp.account.deeds import Deed, Deeds
from barrack_mcp.account.reading import Listing, Reader, read_list
from barrack_mcp.account.things import Thing, can_be_id, can_be_name, joined, things
from barrack_mcp.catalogue import BY_TOOL, RESERVED_IDS, JsonObject, Offer
from barrack_mcp.catalogue.kinds import BY_ARGUMENT, Kind, kind_named_by, kind_told_by
from barrack_mcp.catalogue.values import PRIVATE_KEY
from barrack_mcp.dispatch.arguments.validation import validate

ID_SHAPE: Final = re.compile(r"(?:BRK|FW|KEY|SCR)-[0-9]+[A-Z]{0,2}|[0-9]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What is an id at first sight: `BRK-000001D` as in the vendor's pages, the others inferred. All else may be a name."""

SECONDS: Final = 10.0
"""Time for all the looking of one call."""

_MOST: Final = 3
"""Things that a sentence names."""
_MOST_SENTENCES: Final = 5


class NotFoundError(Exception):
    """A name or id stands for no thing, or not for one alone; nothing was changed.

    Attributes:
        sentences: One for each such value, without the value itself.
    """

    def __init__(self, sentences: list[str]) -> None:
        more = len(sentences) - _MOST_SENTENCES
        told = [*sentences[:_MOST_SENTENCES], *([f"The same goes for {more:,} more."] if more > 0 else [])]
        super().__init__(" ".join([*told, "Nothing was changed."]))
        self.sentences = sentences


@dataclass(frozen=True, slots=True)
class _Given:
    """A value that names a thing, and where in the arguments it stands."""

    kind: Kind
    value: str
    place: str


class Names:
    """Finds what the arguments of one call name: each list is read once, to its end if there is time, all side by side.

    Args:
        read: Sends one read.
        deeds: What was made through us a moment ago, which a list may not show yet.
        offered: The tools on offer: of things that no tool among them lists, none is named that was not asked for.
        seconds: Time for the looking before the call, and again for that after it; what isn't read by then is unread.
    """

    def __init__(
        self,
        read: Reader,
        *,
        deeds: Deeds | None = None,
        offered: Collection[str] = BY_TOOL,
        seconds: float = SECONDS,
    ) -> None:
        self._read = read
        self._offered = offered
        self._deeds = deeds or Deeds()
        self._seconds = seconds
        self._listings: dict[str, Listing] = {}
        self._things: dict[str, list[Thing]] = {}
        """The things of each list that have an id, each once: pages may overlap while things come and go."""
        self.found: dict[str, tuple[str, str]] = {}
        """The names that were resolved, by their place, each with the id that it stands for."""

    async def resolve(
        self,
        offer: Offer,
        arguments: Mapping[str, Any],
        *,
        known: Mapping[str, Sequence[str]] = MappingProxyType({}),
        read: Reader | None = None,
    ) -> JsonObject:
        """Answer the arguments with ids in the place of names; what looks like an id, or like nothing, stays as it is.

        Lists are read only if all other arguments are right. A name that several things have, or that others may have
        that were not read, is not taken where something would change.

        Args:
            offer: What was called.
            arguments: The arguments as they came.
            known: Names of which is known what they stand for, in the form of `found`.
            read: Sends the reads, where others read the same.

        Raises:
            BadArgumentsError: The other arguments are wrong; nothing was read.
            NotFoundError: A name or id stands for nothing, or for several things.
        """
        given = {each.place: each for each in _given(arguments) if _may_be_name(each.value)}
        if not given:
            return dict(arguments)
        stand_ins = {value: f"x{at}" for at, value in enumerate({each.value for each in given.values()})}
        validate(offer, _replaced(arguments, {place: stand_ins[each.value] for place, each in given.items()}))
        self.found |= {
            place: (name, known_id)
            for place, (name, known_id) in known.items()
            if place in given and name == given[place].value
        }
        sought = {place: each for place, each in given.items() if place not in self.found}
        until = anyio.current_time() + self._seconds
        async with anyio.create_task_group() as tasks:
            for kind in {each.kind.list_tool: each.kind for each in sought.values()}.values():
                tasks.start_soon(self._listing, kind, until, read)
        refused: list[str] = []
        for place, each in sought.items():
            try:
                listing = await self._listing(each.kind, until)
                # what comes near is looked for only where a sentence will say it: it takes time
                hints = len(refused) < _MOST_SENTENCES and each.kind.list_tool in self._offered
                new = self._deeds.find(each.kind, each.value)
                found = _found(each, listing, self._identified(each.kind), reads=offer.reads, hints=hints, new=new)
                self.found[place] = (each.value, found)
            except LookupError as error:
                refused.append(f"{place}: {error}")
        if refused:
            raise NotFoundError(refused)
        return _replaced(arguments, {place: found for place, (_, found) in self.found.items()})

    def what_is_new(self, offer: Offer, values: Mapping[str, Any]) -> str:
        """Say which things in a call were made through us a moment ago; empty if none was.

        Args:
            offer: What the API didn't find.
            values: The arguments of the call.
        """
        given = _given({name: value for name, value in values.items() if name in offer.arguments.model_fields})
        found = [(each.place, self._deeds.find(each.kind, each.value)) for each in given]
        told = [f"{place}: {deed.sentence}" for place, deed in found if deed is not None]
        return " ".join(told[:_MOST_SENTENCES])

    async def suggest(self, offer: Offer, values: Mapping[str, Any]) -> str:
        """After a 404: say which things the caller may have meant by what is in no list; empty if there is no telling.

        Args:
            offer: What the API didn't find.
            values: The arguments of the call.
        """
        until = anyio.current_time() + self._seconds
        told: list[str] = []
        given = _given({name: value for name, value in values.items() if name in offer.arguments.model_fields})
        looks = 0
        for each in given:
            if each.kind.list_tool not in self._offered:
                continue
            listing = await self._listing(each.kind, until)
            found = self._identified(each.kind)
            if each.value in (thing.id for thing in found):
                continue
            looks += 1
            if looks > _MOST_SENTENCES:
                break
            is_id = ID_SHAPE.fullmatch(each.value) is not None
            if not listing.complete and not is_id:
                # it may well be the name of what was not read
                told.append(f"{each.place}: {_unread(each.kind, listing)}, and none of these has this id or name.")
            elif alike := (_mistyped if is_id else _alike)(each.value, found):
                told.append(f"{each.place}: did you mean {_either(alike)}?")
        return " ".join(told)

    async def _listing(self, kind: Kind, until: float, read: Reader | None = None) -> Listing:
        """What there is of a kind."""
        if kind.list_tool not in self._listings:
            self._listings[kind.list_tool] = await read_list(read or self._read, kind.list_tool, until=until)
        return self._listings[kind.list_tool]

    def _identified(self, kind: Kind) -> list[Thing]:
        """What was read of a kind, less what has no id."""
        if kind.list_tool not in self._things:
            rows = self._listings[kind.list_tool].rows
            self._things[kind.list_tool] = [*{thing.id: thing for thing in things(kind, rows) if thing.id}.values()]
        return self._things[kind.list_tool]


def _found(given: _Given, listing: Listing, found: list[Thing], *, reads: bool, hints: bool, new: Deed | None) -> str:
    """Answer the id of the thing that the value stands for. Raises LookupError with the words of a refusal."""
    kind, value = given.kind, given.value
    if any(thing.id == value for thing in found):
        return value
    named = [thing for thing in found if thing.name == value]
    if len(named) > 1:
        raise LookupError(f"{len(named)} {kind.plural} have this name: {_labels(named)}. Give the id.")
    if named and not listing.complete and not reads:
        raise LookupError(
            f"is the name of {named[0].label}, but {_unread(kind, listing)}, so that another may have it, too. Give "
            "the id."
        )
    if named:
        return named[0].id or value
    if not listing.complete and can_be_id(value):
        # what was not read may have it: the API knows
        return value
    if not listing.readable:
        raise LookupError(f"is no id, and the {kind.plural} can't be read to find it by its name. {listing.why_not}")
    if not listing.complete:
        raise LookupError(f"is no id, and {_unread(kind, listing)}: none of these has this name. Give the id.")
    if new is not None:
        raise LookupError(new.sentence)
    if not hints:
        raise LookupError(f"no {kind.words} has this id or name.")
    alike = _alike(value, found)
    hint = f"did you mean {_either(alike)}?" if alike else f"{kind.list_tool} shows what there is."
    raise LookupError(f"no {kind.words} has this id or name; {hint}")


def _unread(kind: Kind, listing: Listing) -> str:
    """Say how far a list was read that was not read to its end."""
    late = " in the time there is" if listing.late else ""
    return f"not all {kind.plural} could be read{late} (read {listing.how_far})"


def _alike(value: str, found: list[Thing]) -> list[Thing]:
    """The things whose name or id comes near a value, the nearest first; case aside."""
    known: dict[str, list[Thing]] = {}
    for thing in found:
        for text in filter(None, (thing.name, thing.id)):
            known.setdefault(text[:_LONGEST_COMPARED].casefold(), []).append(thing)
    wanted = value[:_LONGEST_COMPARED].casefold()
    pairs = _pairs(wanted)
    # comparing letter by letter takes its time: only those that have the most in common are worth it
    shortlist = heapq.nlargest(
        _MOST_COMPARED, known, key=lambda text: len(pairs & _pairs(text)) - abs(len(text) - len(wanted)) / 2
    )
    close = difflib.get_close_matches(wanted, shortlist, n=_MOST)
    return list({thing.id: thing for text in close for thing in known[text]}.values())[:_MOST]


def _mistyped(value: str, found: list[Thing]) -> list[Thing]:
    """The things whose id is an id but for two characters at most; another last letter is another kind of thing."""
    close: list[tuple[float, Thing]] = []
    for thing in found:
        one = (thing.id or "")[:_LONGEST_COMPARED]
        if _KIND_LETTERS.findall(one) != _KIND_LETTERS.findall(value):
            continue
        match = difflib.SequenceMatcher(None, one, value)
        edits = sum(max(b - a, d - c) for tag, a, b, c, d in match.get_opcodes() if tag != "equal")
        if edits <= _MOST_EDITS and match.ratio() >= _ID_LIKENESS:
            close.append((-match.ratio(), thing))
    return [thing for _, thing in sorted(close, key=lambda each: each[0])[:_MOST]]


_KIND_LETTERS: Final = re.compile(r"^[A-Z]+-|(?<=[0-9])[A-Z]+$")
_MOST_EDITS: Final = 2
_ID_LIKENESS: Final = 0.85

_LONGEST_COMPARED: Final = 100
"""Characters of a name: comparing takes time by their product."""
_MOST_COMPARED: Final = 50


def _pairs(text: str) -> set[str]:
    """Each two letters that stand side by side, those at the ends alone, too."""
    return {text[at : at + 2] for at in range(len(text))} | {text[:1]}


def _labels(found: list[Thing]) -> str:
    return joined([thing.label for thing in found], most=_MOST)


def _either(found: list[Thing]) -> str:
    return " or ".join(thing.label for thing in found)


def _given(arguments: Mapping[str, Any]) -> Iterator[_Given]:
    """All texts in arguments that name things, each with its place."""
    for argument, value in arguments.items():
        alone = argument == "id"
        if (kind := kind_told_by(arguments) if alone else kind_named_by(argument)) is None:
            continue
        if alone or argument in BY_ARGUMENT:
            if isinstance(value, str):
                yield _Given(kind, value.strip(), argument)
        else:
            for at, each in enumerate(_decoded(value)):
                if isinstance(each, str):
                    yield _Given(kind, each.strip(), f"{argument}.{at}")


def _replaced(arguments: Mapping[str, Any], texts: Mapping[str, str]) -> JsonObject:
    """The arguments with other texts in some places."""
    changed = dict(arguments)
    for argument, value in arguments.items():
        if argument in texts:
            changed[argument] = texts[argument]
        elif kind_named_by(argument) is not None and (several := _decoded(value)):
            changed[argument] = [texts.get(f"{argument}.{at}", each) for at, each in enumerate(several)]
    return changed


def _decoded(value: object) -> list[Any]:
    """A list, which some clients send as JSON text; empty for all else."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    return value if isinstance(value, list) else []


def _may_be_name(value: str) -> bool:
    """Whether it is worth a look: not an id at first sight, and nothing that neither a name nor an id can be."""
    if ID_SHAPE.fullmatch(value) or PRIVATE_KEY.search(value) or value.casefold() in RESERVED_IDS:
        return False
    stands_out = value == value.strip() and any(char.isalnum() for char in value)
    return stands_out and (can_be_id(value) or can_be_name(value))
