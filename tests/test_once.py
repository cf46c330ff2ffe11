"""Whoever looks at one call's account twice reads the same thing but once, side by side or one after the other."""

from __future__ import annotations

from typing import Final

import anyio
import pytest

from barrack_mcp.account.account import Once
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import JsonObject

pytestmark = pytest.mark.anyio
REGIONS: Final[tuple[str, JsonObject]] = ("list_regions", {})


class Slow:
    """Answers its reads when it is let; the first ones fail if it is told so."""

    def __init__(self, *failures: Exception) -> None:
        self.reads = 0
        self.open = anyio.Event()
        self._failures = [*failures]

    async def __call__(self, tool: str, arguments: JsonObject) -> JsonObject:
        self.reads += 1
        await self.open.wait()
        if self._failures:
            raise self._failures.pop(0)
        return {"tool": tool, **arguments}


async def two(once: Once, slow: Slow) -> list[JsonObject | Exception]:
    """Read the same twice at once, then let it be answered."""
    came: list[JsonObject | Exception] = []

    async def one() -> None:
        try:
            came.append(await once(*REGIONS))
        except (ApiError, ValueError) as error:
            came.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one)
        tasks.start_soon(one)
        await anyio.wait_all_tasks_blocked()
        slow.open.set()
    return came


async def test_who_asks_while_it_is_read_gets_the_same_answer_and_so_does_who_asks_later() -> None:
    slow = Slow()
    once = Once(slow)
    came = await two(once, slow)
    assert came == [{"tool": "list_regions"}] * 2
    assert await once(*REGIONS) == {"tool": "list_regions"}
    assert slow.reads == 1
    await once("list_regions", {"page": 2})
    assert slow.reads == 2


async def test_what_the_api_did_not_answer_is_not_asked_for_again() -> None:
    slow = Slow(ApiError(Failure.BROKEN, "Down", status=503))
    once = Once(slow)
    assert [type(each) for each in await two(once, slow)] == [ApiError] * 2
    with pytest.raises(ApiError):
        await once(*REGIONS)
    assert slow.reads == 1


async def test_an_error_of_our_own_is_no_answer() -> None:
    slow = Slow(ValueError("ours"))
    assert [type(each) for each in await two(Once(slow), slow)] == [ValueError, dict]
    assert slow.reads == 2


async def test_who_gives_up_leaves_the_reading_to_who_still_waits() -> None:
    slow = Slow()
    once = Once(slow)
    came: list[JsonObject] = []

    async def impatient(scope: anyio.CancelScope) -> None:
        with scope:
            await once(*REGIONS)

    async def patient() -> None:
        came.append(await once(*REGIONS))

    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()
        tasks.start_soon(impatient, scope)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(patient)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        slow.open.set()
    assert came == [{"tool": "list_regions"}]
    assert slow.reads == 2
