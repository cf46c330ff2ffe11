"""The whole examination, within its time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import chain
from typing import Final

import anyio

from barrack_mcp import __version__
from barrack_mcp.api.probe import Form, Probe, open_probe
from barrack_mcp.api.wire.checks import placeholders
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.overrides import merged
from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.cli.doctor.callers import look_for_callers
from barrack_mcp.cli.doctor.key import Ways, by_reads
from barrack_mcp.cli.doctor.local import look
from barrack_mcp.cli.doctor.reach import reach
from barrack_mcp.cli.doctor.reads import DOCUMENTED, Reads
from barrack_mcp.cli.doctor.report import Check, Read, Report, Verdict
from barrack_mcp.cli.doctor.shared import look_at_shared
from barrack_mcp.config import Settings
from barrack_mcp.server.contract import place as address

SECONDS: Final = 14.0
"""What all of it may take."""

_CLOSED: Final = ("list_instances", "get_credit_balance", "list_ssh_keys")
"""Reads of what is a user's own, so that no API answers them without a key."""
_SIMULATED: Final = "http://127.0.0.1/api"


async def examine(
    settings: Settings,
    *,
    contract: Contract | None = None,
    now: Callable[[], float] = time.time,
    seconds: float = SECONDS,
) -> Report:
    """Look at everything, ask the API with GET alone, and say how it stands.

    Args:
        settings: What the operator set; a URL and a header set there win over those of the contract.
        contract: The contract in force; as shipped by default.
        now: The time in seconds since 1970.
        seconds: What all of it may take.
    """
    begun = anyio.current_time()
    contract = contract if contract is not None else Contract()
    looks = (
        partial(look, settings, contract, now=now),
        partial(look_at_shared, settings),
        partial(look_for_callers, settings),
    )
    found: list[list[Check]] = [[] for _ in looks]

    async def look_beside(place: list[Check], into: Callable[[], Awaitable[list[Check]]]) -> None:
        place.extend(await into())

    async with anyio.create_task_group() as tasks, _probing(settings, contract) as (probe, form):
        for place, into in zip(found, looks, strict=True):
            tasks.start_soon(look_beside, place, into)
        local = settings.simulator
        reached = await reach(probe, _ways(contract), form, local=local, seconds=settings.timeout, now=now)
        told, override = reached.checks, reached.override
        seen: tuple[Read, ...] = ()
        if reached.form is not None:
            deadline = begun + seconds
            reads = Reads(probe, form=reached.form, contract=contract, seconds=settings.timeout, deadline=deadline)
            seen = await reads.run()
            override = merged(override, reads.override())
            told = by_reads(told, *_counts(seen))
    return Report(
        version=__version__,
        checks=(*chain.from_iterable(found), *told),
        reads=seen,
        override=override,
        requests=probe.requests,
        seconds=anyio.current_time() - begun,
    )


@asynccontextmanager
async def _probing(settings: Settings, contract: Contract) -> AsyncIterator[tuple[Probe, Form]]:
    """Have the API ready to be asked, or the simulator in its place, and say how the key rides."""
    if settings.simulator:
        from barrack_mcp.simulator import create_app  # noqa: PLC0415 - not needed on a real account, and not small

        async with open_probe(_SIMULATED, settings.key, app=create_app()) as probe:
            yield probe, Form("Authorization", "Bearer {key}")
        return
    url, header, template = address(settings, contract)
    async with open_probe(url.rstrip("/"), settings.key, network=settings.network) as probe:
        yield probe, Form(header, template)


def _ways(contract: Contract) -> Ways:
    closed = (contract.for_(BY_TOOL[tool]) for tool in _CLOSED)
    others = tuple(wire.path for wire in closed if wire.method == "GET" and not placeholders(wire.path))
    return Ways(contract.for_(DOCUMENTED).path, others)


def _counts(reads: tuple[Read, ...]) -> tuple[int, int]:
    """How many reads were refused, and how many answered though they may be refused."""
    refused = sum(read.verdict is Verdict.REFUSED for read in reads)
    private = [read for read in reads if read.tool != DOCUMENTED.tool]
    return refused, sum(read.verdict in (Verdict.WORKS, Verdict.DIFFERS) for read in private)
