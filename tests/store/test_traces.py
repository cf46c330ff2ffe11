"""By whom and when a thing was last changed through us is kept in the state, for a year, and for so many things."""

from __future__ import annotations

import pytest

from barrack_mcp.state.traces import KEPT_S, MOST, Traces
from tests.support.clock import Clock
from tests.support.stores import Kept

pytestmark = pytest.mark.anyio

SCRIPT, KEY = ("script", "1"), ("ssh_key", "1")


async def last(
    traces: Traces, *things: tuple[str, str], account: str = "a"
) -> dict[tuple[str, str], tuple[str, float]]:
    return {key: (trace.caller, trace.at) for key, trace in (await traces.find(account, things)).items()}


async def test_the_last_change_of_a_thing_counts_and_is_there_after_a_new_start(kept: Kept) -> None:
    clock = Clock()
    async with kept.open(now=clock) as store:
        traces = Traces(store, now=clock)
        await store.finish(traces.note("a", [SCRIPT, KEY], caller="ann"))
        clock.at += 60
        await store.finish(traces.note("a", [SCRIPT], caller="ben"))
        await store.finish(traces.note("a", [], caller="cat"))
    async with kept.open(now=clock) as store:
        traces = Traces(store, now=clock)
        assert await last(traces, SCRIPT, KEY, ("script", "2")) == {
            SCRIPT: ("ben", clock.at), KEY: ("ann", clock.at - 60)
        }  # fmt: skip
        assert await last(traces, SCRIPT, account="b") == {}
        assert await last(traces) == {}


async def test_what_is_older_than_a_year_and_what_is_too_much_is_forgotten(kept: Kept) -> None:
    clock = Clock()
    async with kept.open(now=clock) as store:
        traces = Traces(store, now=clock)
        await store.finish(traces.note("a", [SCRIPT], caller="ann"))
        clock.at += KEPT_S
        await store.finish(traces.note("a", [KEY], caller="ann"))
        assert set(await last(traces, SCRIPT, KEY)) == {KEY}
        clock.at += 1
        await store.finish(traces.note("b", [("volume", str(at)) for at in range(MOST)], caller="ann"))
        assert await last(traces, KEY) == {}
        assert len(await last(traces, *[("volume", str(at)) for at in range(50)], account="b")) == 50
