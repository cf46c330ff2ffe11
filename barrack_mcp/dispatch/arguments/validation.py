"""Check what a caller says before anything is sent; one sentence a field, never the caller's value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from barrack_mcp.api.text import guess, is_one_word, nearest
from barrack_mcp.api.wire.shape import model_of
from barrack_mcp.catalogue import JsonObject, Offer
from barrack_mcp.catalogue.models import without_blanks
from barrack_mcp.catalogue.values import PRIVATE_KEY

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SENTENCES: Final = {
    "missing": "is required",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be an array",
    "model_type": "must be an object",
    "dict_type": "must be an object",
}
MAX_TEXT: Final = 100_000
"""Characters of any text in a call: more than any argument takes, as JSON text, too."""
MAX_DEPTH: Final = 16
_MOST_SENTENCES: Final = 5
_LONGEST_NAME: Final = 100
_MISSPELT: Final = 0.9
_SHOULD: Final = re.compile(r"^(?:Input|String|List|Value|Data) should ")


class BadArgumentsError(Exception):
    """The arguments are wrong; nothing was sent.

    Args:
        sentences: One for each field, without the caller's value; the first few are told.
        more: How many more fields are wrong.
    """

    def __init__(self, sentences: Sequence[str], *, more: int = 0) -> None:
        more += max(0, len(sentences) - _MOST_SENTENCES)
        rest = [f"The same call is wrong in {more:,} more places."] if more else []
        super().__init__(" ".join([*sentences[:_MOST_SENTENCES], *rest]))
        self.sentences = list(sentences)


def validate(offer: Offer, arguments: Mapping[str, Any]) -> JsonObject:
    """Answer the arguments as they will be sent: those not given are left out.

    Raises:
        BadArgumentsError: With a sentence for each field that is wrong, unknown or missing.
    """
    refuse_unfit(arguments)
    try:
        model = offer.arguments.model_validate(dict(arguments))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        told = [_sentence(offer, detail, arguments) for detail in wrong[:_MOST_SENTENCES]]
        raise BadArgumentsError(told, more=len(wrong) - len(told)) from None
    values: JsonObject = model.model_dump(mode="json", exclude_none=True)
    # an array or object that came as JSON text may have hidden it behind escapes
    refuse_unfit(values)
    return values


def drop_blanks(offer: Offer, arguments: Mapping[str, Any]) -> JsonObject:
    """Answer the arguments that say something: those that a client sent empty, since it must send all, are left out.

    Raises:
        BadArgumentsError: One of them holds what no argument may.
    """
    refuse_unfit(arguments)
    return without_blanks(offer.arguments, arguments)


def refuse_unfit(arguments: Mapping[str, Any]) -> None:
    """Refuse what no argument may hold, whatever is called: what is endless, a private key, broken text.

    Each value is gone through once, so that whatever looks at it afterwards has an end.

    Raises:
        BadArgumentsError: With a sentence for each argument that is so.
    """
    if refused := [f"{_place(name)}: {words}." for name, value in arguments.items() if (words := _unfit(value))]:
        raise BadArgumentsError(refused)


def _sentence(offer: Offer, detail: Any, given: Mapping[str, Any]) -> str:
    where = ".".join(_place(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return _unknown(offer, where, detail["loc"], given)
    words = _SENTENCES.get(detail["type"]) or _SHOULD.sub("must ", _plain(detail["msg"]))
    if detail["type"] == "value_error" and re.match(r"[a-z_]+: ", words):
        where, words = ".".join(part for part in (where, words.split(": ")[0]) if part), words.split(": ", 1)[1]
    return f"{where}: {words}."


def _plain(message: str) -> str:
    """Take out of pydantic's words what they say of pydantic."""
    return message.removeprefix("Value error, ").replace(" after validation", "")


def _unknown(offer: Offer, where: str, path: tuple[int | str, ...], given: Mapping[str, Any]) -> str:
    name = str(path[-1])[:_LONGEST_NAME]
    if len(path) > 1:
        within = _model_at(offer.arguments, path[:-1])
        fields = within.model_fields if within is not None else {}
        hint = guess(name, fields, otherwise=f"known: {', '.join(fields)}." if fields else "leave it out.")
        return f"{where}: is not a known field; {hint}"
    known = offer.arguments.model_fields
    # what is given already was hardly meant by another word, unless that is the same one misspelt
    meant = [each for each in known if each not in given or nearest(name, [each], cutoff=_MISSPELT)]
    hint = guess(name, meant, otherwise=f"its arguments: {', '.join(known) or 'none'}.")
    return f"{where}: is not an argument of {offer.tool}; {hint}"


def _model_at(model: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel] | None:
    """Find what stands at a place in the arguments; None if it has no fields of ours."""
    found: type[BaseModel] | None = model
    for name in filter(lambda part: isinstance(part, str), path):
        info = found.model_fields.get(str(name)) if found is not None else None
        found = model_of(info.annotation) if info is not None else None
    return found


def _place(part: int | str) -> str:
    """Name a place in the arguments; a name that the caller made up is repeated only if it can't be a sentence."""
    return str(part) if is_one_word(str(part)) else "(an unreadable name)"


def _unfit(value: object) -> str | None:
    """Say why a value must not leave whatever its argument is; None if it may."""
    for text, depth in _texts(value):
        if len(text) > MAX_TEXT:
            return f"must have at most {MAX_TEXT} characters"
        if depth > MAX_DEPTH:
            return f"must not be nested deeper than {MAX_DEPTH} levels"
        if PRIVATE_KEY.search(text):
            return "must not hold a private key"
        if not text.isascii() and _LONE_SURROGATE.search(text):
            return "must be valid text"
    return None


def _texts(value: object) -> Iterator[tuple[str, int]]:
    """All texts in a value, names of fields included, each with its depth; what is too deep stands for one."""
    stack = [(value, 0)]
    while stack:
        each, depth = stack.pop()
        match each:
            case str():
                yield each, depth
            case dict() | list() if depth > MAX_DEPTH:
                yield "", depth
            case dict():
                stack.extend((inner, depth + 1) for pair in each.items() for inner in pair)
            case list():
                stack.extend((inner, depth + 1) for inner in each)
