"""Waiting through real transports: a client hears how it goes on, and hears the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import anyio
import pytest
from mcp import Client

from tests.support.patience import PATIENT_S
from tests.support.running import product
from tests.test_transports import served
from tests.waiting.test_settling import Heard

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@asynccontextmanager
async def connected(transport: str, era: str) -> AsyncIterator[Client]:
    """A client of a server that serves the simulator."""
    if transport == "stdio":
        async with product("--simulator", settings={}, mode=era) as client:
            yield client
        return
    async with served(transport) as (url, _), Client(f"{url}/mcp", mode=era) as client:
        yield client


@pytest.mark.promise("M4")
@pytest.mark.parametrize(("transport", "era"), [("stdio", "auto"), ("http", "legacy"), ("http", "auto")])
async def test_a_machine_is_started_and_awaited_by_one_call(transport: str, era: str) -> None:
    heard = Heard()
    with anyio.fail_after(PATIENT_S):
        async with connected(transport, era) as client:
            rows = (await client.call_tool("list_instances", {"status": "SHUTOFF"})).structured_content
            assert rows is not None
            arguments = {"instance_id": rows["instances"][0]["instance_id"], "wait_seconds": 60}
            done = (await client.call_tool("start_instance", arguments, progress_callback=heard)).structured_content
    assert done is not None
    assert (done["outcome"], done["settled"]["ended"], done["settled"]["status"]) == ("done", "there", "ACTIVE")
    assert any("STARTING" in words for _, _, words in heard.all)
    assert all(earlier < later for (earlier, _, _), (later, _, _) in pairwise(heard.all))


@pytest.mark.promise("M4")
@pytest.mark.parametrize(("transport", "era"), [("stdio", "legacy"), ("http", "auto")])
async def test_a_client_that_cancels_its_wait_is_served_on(transport: str, era: str) -> None:
    with anyio.fail_after(PATIENT_S):
        async with connected(transport, era) as client:
            hears = anyio.Event()

            async def hear(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - the SDK's
                hears.set()

            wanted = {"resource": "instance", "id": "train-1", "status": "HIBERNATED", "timeout_seconds": 600}
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: client.call_tool("wait_for_status", wanted, progress_callback=hear))
                await hears.wait()
                tasks.cancel_scope.cancel()
            listed = (await client.call_tool("list_instances", {})).structured_content
    assert listed is not None
    assert listed["instances"]
