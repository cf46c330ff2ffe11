"""What is documented of an argument, laid over our own declaration of it: it narrows what a caller may say.

Nothing that we refuse is taken because a document says so: our own limits stay where theirs are wider. The one thing
that grows is a closed set, by values of which nothing of ours depends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import NoneType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, create_model
from pydantic.fields import FieldInfo

from barrack_mcp.api.text import cite, mention
from barrack_mcp.api.wire.overrides import About, Overrides, Type
from barrack_mcp.api.wire.shape import JsonValue, model_of
from barrack_mcp.catalogue import DOCUMENTED, JsonObject, Request
from barrack_mcp.catalogue.kinds import kind_named_by
from barrack_mcp.catalogue.schema import Stated, value_schema
from barrack_mcp.catalogue.values import SETTLED, Most

_SAMPLES: Final[Mapping[str, tuple[JsonValue, ...]]] = {
    "integer": (1, 4, 100, 443),
    "number": (1, 4, 100, 443),
    "string": ("1", "4", "100", "443"),
}
"""Values by which is tried whether an argument may come as another type."""
_LIMITS: Final = ("minimum", "maximum", "min_length", "max_length")
_SPELLED: Final = {
    "string": {"min_length": "minLength", "max_length": "maxLength"},
    "array": {"min_length": "minItems", "max_length": "maxItems"},
    "integer": {"minimum": "minimum", "maximum": "maximum"},
}
_MOST_NEW: Final = 16
"""So many values a document may add to a closed set."""
_MOST_SAID: Final = 12
"""So many values a sentence names."""
_LONGEST_WORDS: Final = 160
_LEAST_WORDS: Final = 12
"""A description that would be cut shorter says nothing."""
_ROOM_WORDS: Final = 6_000
_ROOM_CHOICES: Final = 2_000
"""Characters of a model's context that words and enumerations may cost, of all tools together."""
_AROUND: Final = len(f" Documented: {cite('')}.")


class Untaken(NamedTuple):
    """What is documented and not taken: which fact, why, and whether it can't be rather than has no effect."""

    fact: str
    why: str
    wrong: bool


@dataclass(frozen=True)
class Room:
    """How much of what is documented a tool's schema shows; a caller is held to all of it.

    Attributes:
        words: Characters of a description, at most.
        choices: Characters of an enumeration, at most.
    """

    words: int = _LONGEST_WORDS
    choices: int = _ROOM_CHOICES


def room_in(overrides: Overrides) -> Room:
    """Share the room in a model's context out among all that is documented: whoever needs less leaves more."""
    about = [each for said in overrides.operations.values() for each in said.about.values()]
    words = [len(each.description) for each in about if each.description]
    limit = _LONGEST_WORDS
    while limit >= _LEAST_WORDS and sum(min(long, limit) + _AROUND for long in words) > _ROOM_WORDS:
        limit -= 1
    sizes = [_size(each.enum) for each in about if each.enum]
    fitting = [size for size in set(sizes) if sum(each for each in sizes if each <= size) <= _ROOM_CHOICES]
    return Room(limit if limit >= _LEAST_WORDS else 0, max(fitting, default=0))


def _size(choices: Sequence[JsonValue]) -> int:
    return sum(len(str(choice)) + 3 for choice in choices)


def settle(name: str, info: FieldInfo, about: About) -> tuple[About, list[Untaken]]:
    """Say what of the documented facts is taken for an argument of ours, and what is not.

    Args:
        name: The argument's name; `rows.field` for one inside another.
        info: Our own declaration.
        about: What is documented.
    """
    settling = _Settling(name, info, about)
    taken = replace(about, type=settling.type(), enum=settling.enum(), **settling.limits(), default=settling.default())
    return taken, settling.untaken


class _Settling:
    def __init__(self, name: str, info: FieldInfo, about: About) -> None:
        self._info = info
        self._about = about
        self._schema = value_schema(info)
        self._kind = str(self._schema["type"])
        self._entry: JsonObject = self._schema["items"] if self._kind == "array" else self._schema
        self._named = kind_named_by(name.rpartition(".")[2]) is not None
        self._secret = is_secret(info)
        self.untaken: list[Untaken] = []

    def _leave(self, fact: str, why: str, *, wrong: bool = False) -> None:
        self.untaken.append(Untaken(fact, why, wrong))

    def type(self) -> Type | None:
        said, ours = self._about.type, self._entry["type"]
        if said in (None, ours) or {said, ours} == {"integer", "number"}:
            return None
        samples = _SAMPLES.get(str(said), ()) if ours in _SAMPLES else ()
        if any(_takes(self._info, [each] if self._kind == "array" else each) for each in samples):
            return said
        self._leave("type", f"can't be {said}: it is {ours} here", wrong=True)
        return None

    def limits(self) -> dict[str, Any]:
        ours = _limits(self._info, self._schema)
        taken: dict[str, Any] = {}
        for fact in _LIMITS:
            said = getattr(self._about, fact)
            if said is None:
                taken[fact] = None
            elif fact not in _SPELLED.get(self._kind, {}):
                taken[fact] = None
                self._leave(fact, f"is no limit of what is {self._kind} here", wrong=True)
            else:
                taken[fact] = self._narrower(fact, said, ours.get(fact))
        for low, high in (("minimum", "maximum"), ("min_length", "max_length")):
            least, most = (taken[fact] if taken[fact] is not None else ours.get(fact) for fact in (low, high))
            if least is not None and most is not None and least > most:
                fact = high if taken[high] is not None else low
                narrow = ours.get(low if fact == high else high)
                taken[low] = taken[high] = None
                self._leave(fact, f"leaves no value that is taken here, where the limit is {narrow}", wrong=True)
        return taken

    def _narrower(self, fact: str, said: Any, ours: Any) -> Any:
        upper = fact.startswith("max")
        said = (math.floor if upper else math.ceil)(said)
        if fact.endswith("length") and self._named and self._kind == "string":
            self._leave(fact, "is not held to, since a name is taken in the place of an id")
            return None
        if ours is not None and (said >= ours if upper else said <= ours):
            if said != ours:
                self._leave(fact, f"has no effect: ours, {ours}, is narrower and stays")
            return None
        return None if said <= 0 and not upper and self._kind != "integer" else said

    def enum(self) -> tuple[JsonValue, ...]:
        said = self._about.enum
        if not said:
            return ()
        if closed := _closed(self._info.annotation):
            return self._grown(closed, [value for value in said if value not in closed])
        if self._secret or self._named or self._kind not in ("string", "integer"):
            self._leave("enum", "is not held to: a name, a secret or another open value is taken here")
            return ()
        kept = tuple(value for value in said if type(value) is not bool and _takes(self._info, value))
        if len(kept) < len(said):
            self._leave("enum", "has values that are never taken here", wrong=not kept)
        return kept

    def _grown(self, closed: tuple[str, ...], new: list[JsonValue]) -> tuple[JsonValue, ...]:
        if not new:
            return ()
        if closed in map(get_args, SETTLED):
            self._leave("enum", "adds values to a set by which our own checks decide; they are not offered")
            return ()
        if len(new) > _MOST_NEW or any(not isinstance(value, str) or not value.strip() for value in new):
            self._leave("enum", f"adds what is no text, or more than {_MOST_NEW} values; they are not offered")
            return ()
        return (*closed, *new)

    def default(self) -> JsonValue:
        return None if self._secret or self._named else self._about.default


def is_secret(info: FieldInfo) -> bool:
    """Whether an argument is never shown."""
    extra = info.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("writeOnly"))


def _takes(info: FieldInfo, value: JsonValue) -> bool:
    """Whether our own declaration takes a value."""
    annotation: Any = info.annotation
    for said in info.metadata:
        annotation = Annotated[annotation, said]
    try:
        # as arguments are read: nothing is guessed
        TypeAdapter(annotation).validate_python(value, strict=True)
    except ValidationError:
        return False
    return value is not None


def _limits(info: FieldInfo, schema: JsonObject) -> dict[str, int]:
    """Our own limits, those included that the schema doesn't state."""
    spelled = _SPELLED.get(str(schema["type"]), {})
    found = {fact: int(schema[word]) for fact, word in spelled.items() if word in schema}
    hidden = [said.most for said in _metadata(info.annotation, info.metadata) if isinstance(said, Most)]
    upper = next((fact for fact in spelled if fact.startswith("max")), "")
    return found | ({upper: min(*hidden, found.get(upper, hidden[0]))} if hidden and upper else {})


def _metadata(annotation: Any, beside: Sequence[Any]) -> Iterator[Any]:
    yield from beside
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        yield from _metadata(inner, more)
    elif NoneType in get_args(annotation):
        for part in get_args(annotation):
            yield from _metadata(part, ())


def _closed(annotation: Any) -> tuple[str, ...]:
    """The values of a closed set; none if it is open."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if get_origin(annotation) in (list, dict):
        return ()
    return next((found for part in get_args(annotation) if (found := _closed(part))), ())


def narrowed(model: type[Request], about: Mapping[str, About], requires: Sequence[str], room: Room) -> type[Request]:
    """Derive a model that is held to what is documented of its fields; the model itself, if that is nothing.

    Args:
        model: Our own.
        about: What is documented, by field; `rows.field` for those inside one.
        requires: Fields that must be given, though ours may be left out.
        room: How much of it the schema shows.
    """
    fields: dict[str, Any] = {}
    for name, info in model.model_fields.items() if about or requires else ():
        below = {key.partition(".")[2]: said for key, said in about.items() if key.startswith(f"{name}.")}
        inner: Any = model_of(info.annotation) if below else None
        swapped = narrowed(inner, below, (), room) if inner is not None else None
        taken = settle(name, info, about[name])[0] if name in about else About()
        if taken or swapped is not inner or name in requires:
            annotation: Any = info.annotation if swapped is inner else _with(info.annotation, inner, swapped)
            fields[name] = _declared(
                info, annotation, taken, required=name in requires or info.is_required(), room=room
            )
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, **fields) if fields else model


def _declared(info: FieldInfo, annotation: Any, taken: About, *, required: bool, room: Room) -> tuple[Any, Any]:
    """The same argument, held to what is documented, and without the leave to be absent where it is required."""
    schema = value_schema(info)
    closed = _closed(annotation)
    if closed and taken.enum and _size(taken.enum[len(closed) :]) <= room.choices:
        annotation = _with(annotation, Literal[closed], Literal[taken.enum])
    if required:
        options = [option for option in get_args(annotation) if option is not NoneType]
        annotation = options[0] if NoneType in get_args(annotation) else annotation
    checks = [] if closed else list(_checks(taken, str(schema["type"])))
    for said in (
        *info.metadata,
        *map(AfterValidator, checks),
        Stated(_stated(taken, schema, room, closed=bool(closed))),
    ):
        annotation = Annotated[annotation, said]
    extra = info.json_schema_extra
    marks = extra if isinstance(extra, dict) else {}
    words = _worded(info.description or "", taken, schema, room)
    default: dict[str, Any] = {} if required else {"default": None}
    mark = {"x-provenance": DOCUMENTED.value} if taken else {}
    return annotation, Field(**default, description=words, repr=info.repr, json_schema_extra={**marks, **mark})


def _with(annotation: Any, old: Any, new: Any) -> Any:
    """A type with another in the place of one that it is made of."""
    if annotation == old:
        return new
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        made = _with(parts[0], old, new)
        for said in parts[1:]:
            made = Annotated[made, said]
        return made
    if origin is list:
        return list[_with(parts[0], old, new)]  # type: ignore[misc]  # a type made at run time
    if NoneType in parts:
        return Union[tuple(_with(part, old, new) for part in parts)]  # noqa: UP007 - made of a tuple
    return annotation


def _stated(taken: About, schema: JsonObject, room: Room, *, closed: bool) -> JsonObject:
    spelled = _SPELLED.get(str(schema["type"]), {})
    words = {word: getattr(taken, fact) for fact, word in spelled.items() if getattr(taken, fact) is not None}
    if taken.enum and schema["type"] == "string" and not closed and _size(taken.enum) <= room.choices:
        words["enum"] = list(taken.enum)
    if taken.enum and schema["type"] == "integer":
        # some clients refuse enumerations of integers
        words |= {"minimum": min(taken.enum), "maximum": max(taken.enum)}
    return words


def _worded(ours: str, taken: About, schema: JsonObject, room: Room) -> str:
    """Our own words first; the vendor's are between « », so that they can't pass for ours."""
    words = [ours]
    if taken.enum and schema["type"] == "integer" and _size(taken.enum) <= room.choices:
        words.append(f"One of {', '.join(map(str, taken.enum))}.")
    if taken.default is not None:
        words.append(f"Default: {_plain(taken.default)}.")
    if room.words and (text := " ".join(taken.description.split())):
        words.append(f"Documented: {cite(text, limit=room.words)}.")
    return " ".join(words)


def _plain(value: JsonValue) -> str:
    return str(value).lower() if isinstance(value, bool) else mention(value)


def _checks(taken: About, kind: str) -> Iterator[Callable[[Any], Any]]:
    if taken.minimum is not None or taken.maximum is not None:
        yield _bounded(taken.minimum, taken.maximum, "must be", "", int)
    if taken.min_length is not None or taken.max_length is not None:
        unit = "entries" if kind == "array" else "characters"
        yield _bounded(taken.min_length, taken.max_length, "must have", f" {unit}", len)
    if taken.enum:
        yield _among(taken.enum)


def _bounded(least: Any, most: Any, verb: str, unit: str, size: Callable[[Any], int]) -> Callable[[Any], Any]:
    said = f"at least {least}" if most is None else f"at most {most}" if least is None else f"from {least} to {most}"

    def check(value: JsonValue) -> JsonValue:
        if value is not None and not (
            (least is None or size(value) >= least) and (most is None or size(value) <= most)
        ):
            raise ValueError(f"{verb} {said}{unit}, as the API documents it")
        return value

    return check


def _among(choices: Sequence[JsonValue]) -> Callable[[Any], Any]:
    spelled = {str(choice).casefold(): choice for choice in choices}
    named = ", ".join(mention(choice) for choice in choices[:_MOST_SAID])
    more = f" or {len(choices) - _MOST_SAID} others" if len(choices) > _MOST_SAID else ""

    def check(value: JsonValue) -> JsonValue:
        if value is None or value in choices:
            return value
        known = spelled.get(value.strip().casefold()) if isinstance(value, str) else None
        if known is None:
            raise ValueError(f"must be one of {named}{more}, as the API documents it")
        return known

    return check
