"""What a document says of an argument of ours beyond its name: type, limits, values, default, words."""

from __future__ import annotations

from typing import Any, Final

from barrack_mcp.api.openapi.differences import Findings, Kind
from barrack_mcp.api.openapi.schemas import Shape
from barrack_mcp.api.wire.names import plain
from barrack_mcp.api.wire.narrowing import settle
from barrack_mcp.api.wire.overrides import LONGEST, MOST_CHOICES, About, OperationOverride, Overrides, as_table
from barrack_mcp.api.wire.shape import JsonValue, request_places, status_kinds

_NUMBERS: Final = frozenset({"integer", "number"})
_TOLD: Final = ("minimum", "maximum", "min_length", "max_length", "default")
_LONGEST_DESCRIPTION: Final = 300


def note_facts(found: Findings, name: str, mine: Shape, other: Shape, choices: tuple[JsonValue, ...]) -> bool:
    """Note what is documented of an argument, as far as it differs from ours and fits.

    Args:
        found: Where it is noted.
        name: Our name for the argument; `rows.field` for one inside another.
        mine: What we say of it.
        other: What the document says of it.
        choices: The document's values, by our names for them.

    Returns:
        Whether its type differs, and is one as which ours can be sent.
    """
    info = request_places(found.operation).get(name)
    if info is None:
        return False
    entry, their_entry = (shape.items if shape.items is not None else shape for shape in (mine, other))
    about = About(
        type=_type(entry, their_entry),
        minimum=other.limits.get("minimum"),
        maximum=other.limits.get("maximum"),
        min_length=other.lengths.get("min_length"),
        max_length=other.lengths.get("max_length"),
        enum=_choices(found, name, choices),
        default=other.default,
        description=_words(name, mine, other),
    )
    taken, untaken = settle(name, info, about)
    for fact, why, wrong in untaken:
        if fact != "type":
            said = ", ".join(map(str, about.enum)) if fact == "enum" else str(getattr(about, fact))
            kind = Kind.VALUES if fact == "enum" else Kind.LIMITS
            found.add(kind, f"{name}: {fact}", said, why, matters=wrong)
    if taken:
        found.about[name] = _as_table(found, name, taken)
    if taken.type is not None:
        ours = " or ".join(sorted(entry.kinds))
        found.mend(Kind.TYPE, f"{name}: {ours}", taken.type, "sent as the API has it")
    if new := [str(choice) for choice in taken.enum if choice not in mine.enum]:
        todo = "offered, too" if mine.enum else "held to before anything is sent"
        found.mend(Kind.VALUES, name, ", ".join(new), todo)
    limits = {fact: said for fact in _TOLD if (said := getattr(taken, fact)) is not None}
    if limits:
        shown = ", ".join(f"{fact.replace('_', ' ')} {said}" for fact, said in limits.items())
        found.mend(Kind.LIMITS, name, shown, "said by the tool, and held to before anything is sent")
    return taken.type is not None


def _type(mine: Shape, other: Shape) -> Any:
    """Their type, where both say one and no value of ours is of it."""
    if not mine.kinds or len(other.kinds) != 1 or mine.kinds & other.kinds:
        return None
    if mine.kinds & _NUMBERS and other.kinds & _NUMBERS:
        return None
    (kind,) = other.kinds
    return kind


def _choices(found: Findings, name: str, choices: tuple[JsonValue, ...]) -> tuple[JsonValue, ...]:
    """The values, where they are few and short enough to be read; those of a state are the API's own names for ours."""
    if status_kinds(found.operation.arguments).get(name) is not None or len(choices) > MOST_CHOICES:
        return ()
    fits = all(not isinstance(each, str) or (each.isprintable() and len(each) <= LONGEST) for each in choices)
    return choices if fits else ()


def _words(name: str, mine: Shape, other: Shape) -> str:
    """What they say in words, where it says more than the name and our own words."""
    words = " ".join(other.description.split())[:_LONGEST_DESCRIPTION]
    known = plain(mine.description)
    return words if plain(words) and plain(words) not in (plain(name.rpartition(".")[2]), known) else ""


def _as_table(found: Findings, name: str, taken: About) -> dict[str, Any]:
    tool = found.operation.tool
    written = as_table(Overrides(operations={tool: OperationOverride(about={name: taken})}))
    return dict(written["operations"][tool]["about"][name])
