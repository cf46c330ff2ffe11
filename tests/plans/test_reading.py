"""How a plan's reads behave: pages, deadlines, and texts that must not deceive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.account.desk import Desk
from barrack_mcp.account.reading import Extent, Listing, read_list
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.api.text import INLINE_LONGEST, inline, is_plain
from barrack_mcp.catalogue import JsonObject

pytestmark = pytest.mark.anyio


class Pages:
    """An API with so many instances, that gives at most so many a page."""

    def __init__(self, total: int, *, most: int = 100, tells: bool = True, broken: int | None = None) -> None:
        self.total, self.most, self.tells, self.broken = total, most, tells, broken
        self.asked: list[tuple[int, int]] = []

    async def __call__(self, tool: str, arguments: JsonObject) -> JsonObject:
        assert tool == "list_instances"
        page, limit = arguments["page"], arguments["limit"]
        self.asked.append((page, limit))
        if page < 1:
            raise ApiError(Failure.REJECTED, "No such page", status=404)
        if page == self.broken:
            raise ApiError(Failure.BROKEN, "Down", status=503)
        size = min(limit, self.most)
        first = (page - 1) * size
        rows: list[Any] = [{"instance_id": f"I-{at}"} for at in range(first, min(first + size, self.total))]
        return {"instances": rows} | ({"total": self.total, "limit": size} if self.tells else {})


async def listing(pages: Pages) -> tuple[Listing, list[str]]:
    desk = Desk(pages, seconds=5)
    async with desk.side_by_side() as sheet:
        found = sheet.rows("list_instances", {}, "the instances")
    return found, desk.unread


@pytest.mark.parametrize(
    ("pages", "rows", "complete", "asked"),
    [
        (Pages(0), 0, True, 1),
        (Pages(99), 99, True, 1),
        (Pages(250), 250, True, 3),
        (Pages(501), 401, False, 5),
        (Pages(70, most=20), 70, True, 4),
        (Pages(101, most=20), 81, False, 5),
        (Pages(10, tells=False), 10, True, 3),
        (Pages(100, tells=False), 100, True, 3),
        (Pages(130, tells=False, most=20), 100, False, 5),
        (Pages(250, broken=2), 150, False, 3),
    ],
)
async def test_a_list_is_read_page_by_page_its_first_and_last_five_at_most(
    pages: Pages, rows: int, *, complete: bool, asked: int
) -> None:
    found, unread = await listing(pages)
    assert (len(found.rows), found.complete, len(pages.asked)) == (rows, complete, asked)
    assert len({row["instance_id"] for row in found.rows}) == rows
    assert bool(unread) is not complete
    assert found.at_least == ("" if complete else "at least ")


async def test_pages_that_overlap_count_once_and_rows_stand_in_the_lists_order_however_late_a_page_comes() -> None:
    pages = Pages(300)
    late = anyio.Event()

    async def read(tool: str, arguments: JsonObject) -> JsonObject:
        if arguments["page"] == 2:
            await late.wait()
        data = await pages(tool, arguments)
        if arguments["page"] == 3:
            late.set()
            # one thing was made meanwhile, so that each page begins with what ended the one before
            data["instances"] = [{"instance_id": "I-199"}, *data["instances"][:-1]]
        return data

    found = await read_list(read, "list_instances")
    assert [row["instance_id"] for row in found.rows] == [f"I-{at}" for at in range(299)]
    assert found.extent is Extent.PARTLY
    assert found.how_far == "299 of 300"


_ROW = st.sampled_from(
    [{"instance_id": "I-1"}, {"id": "I-2"}, {"vm_id": "I-3", "status": "ACTIVE"}, {"status": "ACTIVE"}]
)
_CAME = st.tuples(st.lists(_ROW, max_size=3), st.none() | st.integers(0, 9))


@settings(max_examples=60, deadline=None)
@given(st.lists(_CAME, min_size=1, max_size=4), st.data())
def test_a_list_is_the_same_in_whichever_order_its_pages_come(
    pages: list[tuple[list[JsonObject], int | None]], data: st.DataObject
) -> None:
    def joined(order: Iterable[int]) -> tuple[list[JsonObject], int | None]:
        listing = Listing()
        for at in order:
            rows, total = pages[at]
            listing.take(
                "list_instances", {"instances": rows} | ({} if total is None else {"total": total}), page=at + 1
            )
        return listing.rows, listing.total

    in_order = range(len(pages))
    assert joined(data.draw(st.permutations(in_order))) == joined(in_order)


async def test_a_list_is_not_whole_while_the_look_for_a_page_before_the_first_fails() -> None:
    pages = Pages(10, tells=False)

    async def read(tool: str, arguments: JsonObject) -> JsonObject:
        if arguments["page"] < 1:
            raise ApiError(Failure.SILENT, "No answer")
        return await pages(tool, arguments)

    found = await read_list(read, "list_instances")
    assert (len(found.rows), found.extent) == (10, Extent.PARTLY)


async def test_a_first_page_that_fails_is_no_list_at_all() -> None:
    found, unread = await listing(Pages(5, broken=1))
    assert not found.readable
    assert unread == ["Could not be read: the instances."]


async def test_a_target_that_fails_ends_the_waiting_at_once() -> None:
    async def read(tool: str, arguments: JsonObject) -> JsonObject:
        del arguments
        if tool == "get_instance":
            raise ApiError(Failure.SILENT, "No answer")
        await anyio.sleep_forever()
        raise AssertionError

    async def look() -> None:
        async with Desk(read, seconds=60).side_by_side() as sheet:
            sheet.target("get_instance", {"instance_id": "I-1"})
            sheet.one("get_pricing", {}, "the prices")

    with anyio.fail_after(1), pytest.raises(ApiError):
        await look()


async def test_reads_that_follow_have_what_is_left_of_the_time_after_the_target() -> None:
    async def read(tool: str, arguments: JsonObject) -> JsonObject:
        del arguments
        if tool != "get_instance":
            await anyio.sleep_forever()
        return {"instance": {"vm_name": "x"}}

    desk = Desk(read, seconds=0.05)
    started = anyio.current_time()
    for _ in range(3):
        async with desk.side_by_side() as sheet:
            if started is not None and not desk.unread:
                sheet.target("get_instance", {"instance_id": "I-1"})
            sheet.one("get_pricing", {}, "the prices")
    assert len(desk.unread) == 3
    assert anyio.current_time() - started < 0.5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("train-1", "train-1"),
        ("a b", "a b"),
        ("Müller", "Müller"),
        (" a  b ", r"\x20a\x20 b\x20"),
        ("a\nb", r"a\nb"),
        ("\x1b[31m", r"\u001b[31m"),
        ("a\u202eb", r"a\u202eb"),
        ("a\u200bb", r"a\u200bb"),
        ("a\U000e0041", r"a\U000e0041"),
        ("«a»", r"\u00aba\u00bb"),
        ("a\\n", r"a\\n"),
        (7, "7"),
    ],
)
def test_a_quoted_text_hides_nothing_and_cannot_pass_for_ours(text: object, shown: str) -> None:
    assert inline(text) == shown
    assert is_plain(str(text)) == (str(text) == shown)


def test_a_quoted_text_is_cut() -> None:
    assert inline("x" * 10_000) == "x" * (INLINE_LONGEST - 1) + "…"
    assert len(inline("\n" * 10_000)) <= INLINE_LONGEST
