"""The vocabulary in which tools, and the operations of the Barrack API, are declared. Pure data: no I/O, no MCP."""

from __future__ import annotations

import string
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import BaseModel, Field, create_model
from pydantic.fields import FieldInfo

from barrack_mcp.catalogue.envelope import Beside, Detail, Paging, Patience
from barrack_mcp.catalogue.models import (
    CONCISE,
    DOCUMENTED,
    INFERRED,
    JsonObject,
    NoArguments,
    Provenance,
    Request,
    Response,
)
from barrack_mcp.catalogue.signs import Look, Made, Settles, Shows, Sign

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

DOCUMENTED_FROM: Final = 97
"""Percent of confidence from which a path counts as documented: only what a page of the vendor shows reaches it."""


class Risk(StrEnum):
    """What a call may do to the user's things or money; decides the hints and whether a person is asked."""

    READ = "read"
    CHANGE = "change"
    SPEND = "spend"
    INTERRUPT = "interrupt"
    EXPOSE = "expose"
    DESTROY = "destroy"


_UNASKED: Final = frozenset({Risk.READ, Risk.CHANGE})
"""Risks that ask nobody."""
_SETTLED: Final = frozenset({Risk.READ, Risk.DESTROY})
"""Risks of which a second call changes nothing more."""
_READING: Final = ("list_", "get_", "quote_", "wait_")
_ENDING: Final = ("delete_", "bulk_delete_")


class Toolset(StrEnum):
    """The groups of tools that an operator can switch on."""

    ACCOUNT = "account"
    CATALOG = "catalog"
    INSTANCES = "instances"
    SSH_KEYS = "ssh_keys"
    VOLUMES = "volumes"
    SCRIPTS = "scripts"
    SNAPSHOTS = "snapshots"
    IMAGES = "images"
    FIREWALLS = "firewalls"
    INSIGHTS = "insights"
    """Ours: what no one operation of the API answers."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """How sure we are of an operation's wire form, in percent."""

    method: int
    path: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the API answers an operation, as far as we know."""

    method: Method
    path: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Alternate:
    """Another place where the API may answer the same read or write."""

    method: Method
    path: str


def elsewhere(method: Method, *paths: str) -> tuple[Alternate, ...]:
    """Say where else the API may answer, all with one method."""
    return tuple(Alternate(method, path) for path in paths)


@dataclass(frozen=True, kw_only=True, eq=False)
class Offer(ABC):
    """A tool on offer: what a client is told of it, whether the API answers it or we do.

    It checks itself when it is made.

    Raises:
        TypeError: It lacks something; the sentence names the tool and what it lacks.
    """

    tool: str
    title: str
    """For a list; the vendor's own, where it is the vendor's."""
    toolset: Toolset
    risk: Risk
    description: str
    """For the model: what it does to the thing, when not to use it, what it costs."""
    response: type[Response]
    """What is answered."""
    result: str | None = None
    """Name of the answer's root; None where its fields stand at top level."""
    core: bool = False
    """Belongs to a day's work: part of the toolset `core`."""
    sets_state: bool = False
    """Whether a second call with the same arguments changes nothing more; reads and destruction needn't say so."""

    def __post_init__(self) -> None:
        if faults := [*self._faults()]:
            raise TypeError(f"{self.tool}: {'; '.join(faults)}")

    def _faults(self) -> Iterator[str]:
        """Say what it lacks."""
        if self.sets_state and self.risk in _SETTLED:
            yield f"`sets_state` follows from its risk, {self.risk}"
        if self.tool.startswith(_READING) is not self.reads:
            yield f"the names of reads, and no others, begin with {', '.join(_READING)}"
        if self.tool.startswith(_ENDING) is not (self.risk is Risk.DESTROY):
            yield f"the names of what destroys, and no others, begin with {', '.join(_ENDING)}"
        if self.result is not None and self.result not in self.response.model_fields:
            yield f"`result` is {self.result}, which is no field of {self.response.__name__}"

    def is_in(self, toolsets: Collection[str]) -> bool:
        """Whether it belongs to one of these toolsets; `all` and `core` are names of such, too."""
        return "all" in toolsets or self.toolset in toolsets or (self.core and "core" in toolsets)

    @property
    @abstractmethod
    def arguments(self) -> type[Request]:
        """What a caller may say."""

    @property
    def reads(self) -> bool:
        """Whether it changes nothing, so that it may be called again whatever became of it."""
        return self.risk is Risk.READ

    @property
    def idempotent(self) -> bool:
        """Whether a second call with the same arguments changes nothing more."""
        return self.sets_state or self.risk in _SETTLED


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation(Offer):
    """One documented operation of the API; everything else about its tool is derived from this.

    It checks itself when it is made.

    Raises:
        TypeError: It lacks what its risk, its path or its answer needs; the sentence names the tool and what it lacks.
    """

    group: str
    """The vendor's group."""
    endpoint: Endpoint
    alternates: tuple[Alternate, ...] = ()
    place: type[Request] | None = None
    """The arguments that stand in the path."""
    request: type[Request] = NoArguments
    """The arguments that go into the query (GET, DELETE) or the JSON body (all others)."""
    paged: bool = False
    """Whether it answers page by page and takes `page` and `limit`."""
    pages: type[Request] = Paging
    """These two, where it does."""
    ours: type[Request] | None = None
    """Arguments of ours, which the API never sees."""
    filled: tuple[str, ...] = ()
    """Required arguments that may be left out where one of ours names a thing to take them from."""
    beside: type[Beside] = Beside
    """What we say beside a read's answer."""
    adds: type[Response] | None = None
    """What we add to each thing that a read shows, or to what a write answers."""
    planned: bool = False
    """Whether a planner finds out what it would do, though its risk asks nobody."""
    replaces: str | None = None
    """The argument whose old text is lost where it is given another: that needs a person's yes, though its risk asks
    nobody, and what is protected is not replaced."""
    look: Look | None = None
    """Every write has one."""
    sign: Sign | None = None
    """What the look shows once the write took place; every write has one."""
    settles: Settles | None = None
    """What it leads to in the end, where that takes its time; whoever calls may wait for it."""
    billing: str | None = None
    """What happens to the bill, in a sentence; shown with every result."""
    after: str | None = None
    """What to know or do next once it is done, or has settled, in a sentence."""
    on_conflict: str | None = None
    """What to do when the thing is in a state that doesn't allow it (409), in a sentence."""

    def _faults(self) -> Iterator[str]:
        yield from super()._faults()
        yield from (*self._faults_of_the_path(), *self._faults_of_the_risk(), *self._faults_of_the_answer())

    def _faults_of_the_path(self) -> Iterator[str]:
        placed = self.place.model_fields if self.place else {}
        for name in self.placeholders:
            if name not in placed:
                yield f"the path's {{{name}}} is no argument of `place`"
        for name in placed:
            if name not in self.placeholders:
                yield f"`place` has {name}, and the path has not"
            if name in self.request.model_fields:
                yield f"{name} is an argument of `place` and of `request`"
        for name in self.filled:
            if self.ours is None or name not in self.given or not self.given[name].is_required():
                yield f"`filled` names {name}, which is no required argument that one of ours stands in for"
        if not (self.path.startswith("/") and self.path.endswith("/")):
            yield "the path must begin and end with a slash"

    def _faults_of_the_risk(self) -> Iterator[str]:
        if self.reads and (self.look or self.sign):
            yield "a read has neither `look` nor `sign`"
        if not self.reads and self.look is None:
            yield "a write needs `look`, the read that shows whether it took place"
        if not self.reads and self.sign is None:
            yield "a write needs `sign`, what its look shows once it took place"
        if not self.reads and self.method == "GET":
            yield "a write is never sent by GET"
        if self.planned and self.risk is not Risk.CHANGE:
            yield f"whether it is `planned` follows from its risk, {self.risk}"

    def _faults_of_the_answer(self) -> Iterator[str]:
        if self.paged and self.result is None:
            yield "a paged answer needs `result`, the name of its rows"
        if self.result is None and isinstance(self.sign, Made | Shows):
            yield "`sign` shows the thing itself, and `result` does not name its root"
        if self.replaces is not None and (
            self.risk is not Risk.CHANGE or self.replaces not in self.request.model_fields
        ):
            yield f"`replaces` names {self.replaces}, which is no argument of what has the risk {Risk.CHANGE}"
        if self.settles is not None and (self.settles.argument or self.result) not in (*self.given, self.result):
            yield "`settles` names no argument, and nothing is made"
        for source, seen in (("look", self.look), ("sign", self.sign)):
            for name in seen.arguments if seen else ():
                if name not in self.given:
                    yield f"`{source}` names {name}, which is no argument"

    @property
    def given(self) -> Mapping[str, FieldInfo]:
        """The arguments of the path and of the request, with what is declared of each."""
        return {**(self.place.model_fields if self.place else {}), **self.request.model_fields}

    @cached_property
    def arguments(self) -> type[Request]:
        """The tool's arguments: those of the path, then those of the request, then the page, then our own."""
        # pydantic takes fields from the last base first
        bases = tuple(base for base in (self.own, self.pages if self.paged else None, self.request, self.place) if base)
        left_out: dict[str, Any] = {name: _eased(self.given[name]) for name in self.filled}
        return create_model(f"{self.tool}_arguments", __base__=bases, **left_out)

    @cached_property
    def own(self) -> type[Request] | None:
        """Those of the tool's arguments that the API never sees."""
        detail = Detail if self.paged and self.concise else None
        bases = tuple(base for base in (Patience if self.settles else None, self.ours, detail) if base)
        return create_model(f"{self.tool}_own", __base__=bases) if bases else None

    def on_the_wire(self, arguments: Mapping[str, Any]) -> JsonObject:
        """The arguments without our own."""
        return {
            name: value for name, value in arguments.items() if self.own is None or name not in self.own.model_fields
        }

    @cached_property
    def row(self) -> type[BaseModel]:
        """The model of what is answered: of a row, of the thing under the root, or of the whole body."""
        if self.result is None:
            return self.response
        return next(_models(self.response.model_fields[self.result].annotation), self.response)

    @cached_property
    def concise(self) -> Mapping[str, int]:
        """The fields that a concise list keeps of a row, each with up to how many rows; empty if all rows are whole."""
        if self.result is None:
            return {}
        fields = {**self.row.model_fields, **(self.adds.model_fields if self.adds is not None else {})}
        marks = {name: info.json_schema_extra for name, info in fields.items()}
        return {
            name: int(str(extra[CONCISE]))
            for name, extra in marks.items()
            if isinstance(extra, dict) and CONCISE in extra
        }

    @cached_property
    def placeholders(self) -> tuple[str, ...]:
        """Names of the arguments that stand in the path, in order."""
        return tuple(name for _, name, _, _ in string.Formatter().parse(self.path) if name)

    @property
    def method(self) -> Method:
        """The HTTP method."""
        return self.endpoint.method

    @property
    def path(self) -> str:
        """The path, with its placeholders."""
        return self.endpoint.path

    @property
    def confidence(self) -> Confidence:
        """How sure we are of method and path."""
        return self.endpoint.confidence

    @property
    def provenance(self) -> Provenance:
        """Whether the vendor documents the wire form."""
        return DOCUMENTED if min(self.confidence.method, self.confidence.path) >= DOCUMENTED_FROM else INFERRED

    @property
    def plans(self) -> bool:
        """Whether a planner of its tool's name finds out what it would do: what may ask a person, and what says so."""
        return self.planned or self.replaces is not None or self.risk not in _UNASKED

    def overwrites(self, values: Mapping[str, Any]) -> bool:
        """Whether a call with these arguments may put a text in the place of another."""
        return self.replaces is not None and values.get(self.replaces) is not None

    @property
    def in_query(self) -> bool:
        """Whether the arguments that are not in the path go into the query."""
        return self.method in ("GET", "DELETE")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a type is made of, the outermost first."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for parameter in get_args(annotation):
        yield from _models(parameter)


def _eased(info: FieldInfo) -> tuple[Any, Any]:
    """Declare a required argument as one that may be left out; whoever takes it sees to it that it is there."""
    value: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    marks = info.json_schema_extra
    return value | None, Field(default=None, description=info.description, json_schema_extra=marks)
