"""How a schema of the API is written down as a model: requests strict, responses lenient, every field with its mark."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache, partial
from typing import Any, Final, Literal, TypeAlias, get_args, get_origin

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import SchemaValidator, core_schema, to_jsonable_python

JsonObject: TypeAlias = dict[str, Any]


class Provenance(StrEnum):
    """Where a statement about the API comes from."""

    DOCUMENTED = "documented"
    """Read in a page of the vendor."""
    INFERRED = "inferred"
    """Our reconstruction; the API may differ."""


DOCUMENTED: Final = Provenance.DOCUMENTED
INFERRED: Final = Provenance.INFERRED

MANY: Final = 100
FEW: Final = 50
"""Rows of a page up to which a concise row keeps a field: what everybody asks for, and what there is room for."""


class Request(BaseModel):
    """What a caller may say: nothing unknown, nothing guessed.

    `null` for an optional argument means absent, and so does an empty text: some clients make a model fill in every
    argument, and that is what it then writes for nothing. Where an empty text would say something, it counts.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _in_any_case(cls, given: Any) -> Any:
        """Read a value of a closed set in whatever case, with blanks around it or not."""
        if not isinstance(given, dict):
            return given
        given = without_blanks(cls, given)
        choices = _choices(cls)
        return {
            name: choices[name].get(value.strip().casefold(), value)
            if name in choices and isinstance(value, str)
            else value
            for name, value in given.items()
        }


def without_blanks(model: type[Request], given: Mapping[str, Any]) -> JsonObject:
    """Leave out the optional arguments that came as an empty text, but for those where that would say something."""
    return {name: value for name, value in given.items() if value != "" or not _may_be_blank(model, name)}


def _may_be_blank(model: type[Request], name: str) -> bool:
    info = model.model_fields.get(name)
    marks = info.json_schema_extra if info is not None else None
    return info is not None and not info.is_required() and isinstance(marks, dict) and BLANK_COUNTS not in marks


@cache
def _choices(model: type[BaseModel]) -> Mapping[str, Mapping[str, str]]:
    """The fields that are of a closed set, each with its values by how they are written in lower case."""
    found = {name: _closed_set(info.annotation) for name, info in model.model_fields.items()}
    return {name: closed for name, closed in found.items() if closed}


def _closed_set(annotation: Any) -> Mapping[str, str]:
    closed = [each for each in (annotation, *get_args(annotation)) if get_origin(each) is Literal]
    return {option.casefold(): option for each in closed for option in get_args(each)}


class Response(BaseModel):
    """What the API answers, read leniently: nothing is required, unknown fields are kept."""

    model_config = ConfigDict(extra="allow", defer_build=True, hide_input_in_errors=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Let a field's own name win over its other names, and leave those that lose among the unknown fields."""
        super().__pydantic_init_subclass__(**kwargs)
        for name, info in cls.model_fields.items():
            also = info.validation_alias
            if isinstance(also, AliasChoices) and also.choices[0] != name:
                info.validation_alias = AliasChoices(name, *also.choices)

    @classmethod
    def read(cls, answer: JsonObject) -> JsonObject:
        """Bring an answer into the declared form: of each object the fields that came, then what is unknown.

        Raises:
            ValidationError: A value is of another type.
        """
        answered: JsonObject = _reader(cls).validate_python(answer)
        return answered


@cache
def _reader(model: type[Response]) -> SchemaValidator:
    """Make what reads an answer as a model declares it, into plain objects.

    An instance of a model for every row would only be made to be written out again: that takes twice the time.
    """
    model.model_rebuild()
    silent = core_schema.CoreConfig(title=model.__name__, hide_input_in_errors=True)
    return SchemaValidator(_plainly(model.__pydantic_core_schema__), silent)


def _plainly(schema: Any) -> Any:
    """Turn the models within a schema of pydantic's into dictionaries of their fields, of which any may be missing."""
    if isinstance(schema, list):
        return [_plainly(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "any":
        return _ANYTHING
    if schema.get("type") == "model":
        return _plainly(schema["schema"]) | {name: schema[name] for name in ("ref",) if name in schema}
    if schema.get("type") == "model-fields":
        fields = {}
        for name, field in schema["fields"].items():
            value = field["schema"]
            bare = value["schema"] if value["type"] == "default" else value
            alias = field.get("validation_alias")
            fields[name] = core_schema.typed_dict_field(_plainly(bare), required=False, validation_alias=alias)
        return core_schema.typed_dict_schema(fields, extra_behavior="allow", extras_schema=_ANYTHING)
    return {name: _plainly(each) for name, each in schema.items()}


_ANYTHING: Final = core_schema.union_schema(
    [
        core_schema.bool_schema(strict=True),
        core_schema.str_schema(strict=True),
        core_schema.int_schema(strict=True),
        core_schema.no_info_plain_validator_function(partial(to_jsonable_python, inf_nan_mode="null")),
    ],
    mode="left_to_right",
)
"""Reads what no model declares: all of JSON as it is; a number beyond all numbers is none."""


@cache
def spellings(model: type[BaseModel], name: str) -> tuple[str, ...]:
    """The names under which a field may come, its own first."""
    alias = model.model_fields[name].validation_alias
    also = alias.choices if isinstance(alias, AliasChoices) else ()
    return tuple(dict.fromkeys((name, *(each for each in also if isinstance(each, str)))))


def required(description: str, mark: Provenance = INFERRED, *, secret: bool = False) -> Any:
    """Declare an argument that must be given.

    Args:
        description: Unit, limits and meaning, for the model that fills it in.
        mark: Whether the vendor documents the field or we inferred it.
        secret: Never shown, logged or recorded.
    """
    return Field(description=description, repr=not secret, json_schema_extra=_marks(mark, secret=secret))


def optional(description: str, mark: Provenance = INFERRED, *, secret: bool = False, blank_counts: bool = False) -> Any:
    """Declare an argument that may be left out; its type allows `None`.

    Args:
        description: Unit, limits, meaning, and what holds without it.
        mark: Whether the vendor documents the field or we inferred it.
        secret: Never shown, logged or recorded.
        blank_counts: Whether an empty text is not the same as leaving it out: the call would do something else.
    """
    marks = _marks(mark, secret=secret) | ({BLANK_COUNTS: True} if blank_counts else {})
    return Field(default=None, description=description, repr=not secret, json_schema_extra=marks)


def answered(description: str, *also: str, mark: Provenance = INFERRED, secret: bool = False, concise: int = 0) -> Any:
    """Declare a field of an answer; it may be missing or null.

    Args:
        description: Unit and meaning.
        also: Other names under which the API may send it; the product shows it under the field's own.
        mark: Whether the vendor documents the field or we inferred it.
        secret: Never shown, logged or recorded.
        concise: Up to how many rows a concise list shows it: `MANY`, `FEW` or never.
    """
    return Field(
        default=None,
        description=description,
        validation_alias=AliasChoices(*also) if also else None,
        repr=not secret,
        json_schema_extra=_marks(mark, secret=secret) | ({CONCISE: concise} if concise else {}),
    )


BLANK_COUNTS: Final = "x-blank-counts"
"""The mark of an argument whose empty text is not the same as none."""
CONCISE: Final = "x-concise"
"""The mark of a field that concise rows show."""


def _marks(mark: Provenance, *, secret: bool) -> JsonObject:
    return {"x-provenance": mark.value, **({"writeOnly": True} if secret else {})}


class NoArguments(Request):
    """The request of an operation that takes none."""
