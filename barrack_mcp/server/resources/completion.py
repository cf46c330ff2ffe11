"""Completing what a person types: ids by the beginning of the id or a part of the name, and a few words.

What can be chosen is kept for some seconds, so that typing sends a request for the first key only. Whatever goes
wrong, there is just nothing to choose from.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, get_args

import anyio
from mcp.types import CompleteRequestParams, Completion, PromptReference
from pydantic import TypeAdapter, ValidationError

from barrack_mcp.account.prices import Prices
from barrack_mcp.account.reading import Listing
from barrack_mcp.api.errors import ApiError
from barrack_mcp.catalogue import BY_TOOL, JsonObject, Operation
from barrack_mcp.catalogue.kinds import KINDS
from barrack_mcp.catalogue.values import GPU_COUNTS, Id, TierEnum, Word
from barrack_mcp.server.prompts import BY_NAME as PROMPTS
from barrack_mcp.server.resources.account import PRICES
from barrack_mcp.server.resources.addresses import template
from barrack_mcp.server.resources.reading import Reads

MAX_VALUES: Final = 100
"""The protocol's limit."""
KEPT_S: Final = 10.0

_ID: Final[TypeAdapter[str]] = TypeAdapter(Id)
_WORD: Final[TypeAdapter[str]] = TypeAdapter(Word)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """A value, and the name by which people know it."""

    value: str
    name: str


@dataclass(frozen=True)
class Choices:
    """What can be chosen.

    Attributes:
        choices: In the API's order.
        complete: Whether these are all.
    """

    choices: tuple[Choice, ...] = ()
    complete: bool = True


@dataclass(frozen=True)
class Source:
    """Where choices come from.

    Attributes:
        operation: The read that lists them.
        fields: The row's fields that may hold the value, best first.
        accepts: What a value must be to be of use as an argument.
    """

    operation: Operation
    fields: tuple[str, ...]
    accepts: TypeAdapter[str]
    rows: Callable[[Reads, Operation], Awaitable[Listing]] = Reads.rows
    """Reads them."""

    def choice(self, row: JsonObject) -> Choice | None:
        """Take the choice out of a row; None if it holds none that a tool would accept."""
        value = next((row[name] for name in self.fields if row.get(name)), None)
        try:
            fit = self.accepts.validate_python(value)
        except ValidationError:
            return None
        names = (row[name] for name in row if name == "name" or name.endswith("_name"))
        return Choice(fit, str(next(names, fit) or fit))


async def _priced(reads: Reads, operation: Operation) -> Listing:
    """Read the GPU models of the price list, which has them all; the stock has a row for each region, and is cut."""
    told = await reads.quietly(operation.tool, {})
    models = [{"gpu_model": model} for model in Prices(told.get("pricing_data") or {}, "").models]
    return Listing(models, readable=True, total=len(models))


SOURCES: Final[Mapping[str, tuple[Source, ...]]] = MappingProxyType(
    {kind.arguments[0]: (Source(BY_TOOL[kind.list_tool], kind.ids, _ID),) for kind in KINDS}
    | {
        "region": (Source(BY_TOOL["list_regions"], ("name", "region"), _WORD),),
        "gpu_model": (
            Source(PRICES, ("gpu_model",), _WORD, _priced),
            Source(BY_TOOL["list_gpu_stock"], ("gpu_model",), _WORD),
        ),
    }
)
"""By the argument that is completed; of several, the first on offer."""
WORDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"tier": get_args(TierEnum), "gpu_count": tuple(map(str, GPU_COUNTS))}
)
"""Closed sets, likewise."""


@dataclass
class _Kept:
    """What was read for one caller."""

    choices: Choices = field(default_factory=Choices)
    until: float = -math.inf
    turn: anyio.Lock = field(default_factory=anyio.Lock)

    def fresh(self, now: float) -> bool:
        return now < self.until


@dataclass
class Completer:
    """Answers completions.

    Attributes:
        now: A clock that only goes forward, in seconds.
    """

    now: Callable[[], float] = time.monotonic
    _kept: dict[tuple[str, str, str], _Kept] = field(default_factory=dict, init=False)

    async def complete(self, reads: Reads, params: CompleteRequestParams) -> Completion:
        """Answer what fits what was typed: at most 100 values, how many there are, and whether there are more."""
        kind = _completed(params)
        if kind in WORDS:
            choices = Choices(tuple(Choice(word, word) for word in WORDS[kind]))
        else:
            source = next((each for each in SOURCES.get(kind, ()) if reads.offers(each.operation)), None)
            choices = await self._choices(reads, source) if source is not None else Choices()
        typed = params.argument.value.casefold()
        # a model is in stock in many regions, but is one choice
        fitting = list(
            dict.fromkeys(
                choice.value
                for choice in choices.choices
                if choice.value.casefold().startswith(typed) or typed in choice.name.casefold()
            )
        )
        return Completion(
            values=fitting[:MAX_VALUES],
            total=len(fitting) if choices.complete else None,
            has_more=len(fitting) > MAX_VALUES or not choices.complete,
        )

    async def _choices(self, reads: Reads, source: Source) -> Choices:
        at = self.now()
        self._kept = {key: kept for key, kept in self._kept.items() if kept.turn.locked() or kept.fresh(at)}
        kept = self._kept.setdefault((reads.caller.subject, reads.caller.account.id, source.operation.tool), _Kept())
        async with kept.turn:  # keys typed at once wait for one read
            if not kept.fresh(self.now()):
                kept.choices = await _read(reads, source)
                kept.until = self.now() + KEPT_S
            return kept.choices


async def _read(reads: Reads, source: Source) -> Choices:
    try:
        rows = await source.rows(reads, source.operation)
        found = (source.choice(row) for row in rows.rows)
        return Choices(tuple(choice for choice in found if choice is not None), rows.complete)
    except ApiError as error:
        _log.info("nothing to complete from, %s could not be read: %s", source.operation.tool, error.failure)
    except Exception:  # noqa: BLE001 - logged; there is just nothing to choose from
        _log.exception("internal error while completing from %s", source.operation.tool)
    return Choices()


def _completed(params: CompleteRequestParams) -> str:
    """Say which argument's values are wanted; empty if nothing is known of it."""
    name = params.argument.name
    if isinstance(params.ref, PromptReference):
        prompt = PROMPTS.get(params.ref.name)
        return next((each.completes for each in prompt.arguments if each.name == name), "") if prompt else ""
    return next((name for kind in KINDS if template(kind) == params.ref.uri and kind.arguments[0] == name), "")
