"""The vocabulary in which the operations of the Barrack API are declared. Pure data: no I/O, no MCP."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias, get_args

from pydantic import BaseModel, create_model

from barrack_mcp.catalogue.envelope import Detail, Paging
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


class Retry(StrEnum):
    """When a request may be sent again."""

    SAFE = "safe"
    """Always: it changes nothing."""
    UNSENT = "unsent"
    """Only when it certainly never reached the API: a second one could buy or break twice."""


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


@dataclass(frozen=True, slots=True)
class Confidence:
    """How sure we are of an operation's wire form, in percent."""

    method: int
    path: int


@dataclass(frozen=True, slots=True)
class Alternate:
    """Another place where the API may answer the same read or write."""

    method: Method
    path: str


def elsewhere(method: Method, *paths: str) -> tuple[Alternate, ...]:
    """Say where else the API may answer, all with one method."""
    return tuple(Alternate(method, path) for path in paths)


@dataclass(frozen=True, slots=True)
class Look:
    """The read that shows whether a write without an answer took place."""

    tool: str
    arguments: tuple[str, ...] = ()
    """Arguments of the write that the read takes over, under the same name."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One documented operation of the API; everything else about its tool is derived from this."""

    tool: str
    title: str
    """The vendor's own title."""
    group: str
    """The vendor's group."""
    toolset: Toolset
    risk: Risk
    retry: Retry
    description: str
    """For the model: what it does to the thing, when not to use it, what it costs."""
    method: Method
    path: str
    confidence: Confidence
    alternates: tuple[Alternate, ...] = ()
    place: type[Request] | None = None
    """The arguments that stand in the path."""
    request: type[Request] = NoArguments
    """The arguments that go into the query (GET, DELETE) or the JSON body (all others)."""
    paged: bool = False
    """Whether it answers page by page and takes `page` and `limit`."""
    response: type[Response]
    result: str | None = None
    """Name of the body's root; None where the answer's fields stand at top level."""
    idempotent: bool = False
    """Whether a second call with the same arguments changes nothing more."""
    core: bool = False
    """Belongs to a day's work: part of the toolset `core`."""
    look: Look | None = None
    """Every write has one."""
    billing: str | None = None
    """What happens to the bill, in a sentence; shown with every result."""
    after: str | None = None
    """What to do next once it is done, in a sentence."""
    on_conflict: str | None = None
    """What to do when the thing is in a state that doesn't allow it (409), in a sentence."""

    @cached_property
    def arguments(self) -> type[Request]:
        """The tool's arguments: those of the path, then those of the request, then the page, then our own."""
        # pydantic takes fields from the last base first
        bases = tuple(base for base in (self.own, Paging if self.paged else None, self.request, self.place) if base)
        return create_model(f"{self.tool}_arguments", __base__=bases)

    @cached_property
    def own(self) -> type[Request] | None:
        """Those of the tool's arguments that the API never sees."""
        return Detail if self.paged and self.concise else None

    def on_the_wire(self, arguments: Mapping[str, Any]) -> JsonObject:
        """The arguments without our own."""
        return {
            name: value for name, value in arguments.items() if self.own is None or name not in self.own.model_fields
        }

    @cached_property
    def concise(self) -> Mapping[str, int]:
        """The fields of a row that a concise list keeps, each with up to how many rows; empty if all rows are whole."""
        if self.result is None:
            return {}
        for row in _models(self.response.model_fields[self.result].annotation):
            marks = {name: info.json_schema_extra for name, info in row.model_fields.items()}
            return {
                name: int(str(extra[CONCISE]))
                for name, extra in marks.items()
                if isinstance(extra, dict) and CONCISE in extra
            }
        return {}

    @cached_property
    def placeholders(self) -> tuple[str, ...]:
        """Names of the arguments that stand in the path, in order."""
        return tuple(name for _, name, _, _ in string.Formatter().parse(self.path) if name)

    @property
    def provenance(self) -> Provenance:
        """Whether the vendor documents the wire form."""
        return DOCUMENTED if min(self.confidence.method, self.confidence.path) >= DOCUMENTED_FROM else INFERRED

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.risk is Risk.READ

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
