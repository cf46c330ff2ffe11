"""The clock of the tests' own event loop: what the machine is busy with doesn't count, what is waited for does."""

from __future__ import annotations

import time

import anyio
import pytest
from anyio.lowlevel import checkpoint

pytestmark = pytest.mark.anyio

LIMIT_S = 0.02


async def test_a_limit_does_not_run_out_while_the_machine_is_busy() -> None:
    with anyio.move_on_after(LIMIT_S) as limit:
        until = time.monotonic() + 2 * LIMIT_S
        while time.monotonic() < until:
            pass
        await checkpoint()
    assert not limit.cancelled_caught


async def test_a_limit_runs_out_while_something_is_waited_for() -> None:
    with anyio.move_on_after(LIMIT_S) as limit:
        await anyio.Event().wait()
    assert limit.cancelled_caught


async def test_a_limit_runs_out_where_something_is_looked_for_again_and_again() -> None:
    with anyio.move_on_after(LIMIT_S) as limit:
        while True:
            await checkpoint()
    assert limit.cancelled_caught
