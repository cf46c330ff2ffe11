"""A list is taken for whole only if it is: every list operation, every way of saying more, every size of page."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

import httpx2
import pytest

from barrack_mcp.account.pages import signs_of
from barrack_mcp.account.reading import Extent, Listing, listing_of, read_list, read_page, reader
from barrack_mcp.api.body import is_list, typed
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Operation
from barrack_mcp.dispatch.answers.outcomes import Answer
from tests.support.answers import client, dispatcher
from tests.support.guarding import guard

pytestmark = [pytest.mark.anyio, pytest.mark.promise("R9")]

ROWS = 45
"""So many there are."""
PAGED = [operation for operation in OPERATIONS if operation.paged]
AT_ONCE = [operation for operation in OPERATIONS if is_list(operation) and not operation.paged]
Saying: TypeAlias = Callable[[int, int, int], JsonObject]
"""What an answer says of the list, by its page, the rows of a page, and the rows in all."""


def pages(size: int, total: int) -> int:
    return -(-total // size)


def follows(page: int, size: int, total: int) -> bool:
    return page < pages(size, total)


def link(page: int, size: int, total: int) -> str | None:
    return f"https://barrack.example/api/x/?page={page + 1}" if follows(page, size, total) else None


WAYS: dict[str, Saying] = {
    "total": lambda _, __, total: {"total": total},
    "total as text": lambda _, __, total: {"total": f" {total}"},
    "total as a fraction": lambda _, __, total: {"total": float(total)},
    "the documented way": lambda page, size, total: {
        "total": total,
        "page": page,
        "limit": size,
        "total_pages": pages(size, total),
    },
    "total_count": lambda _, __, total: {"total_count": total},
    "totalCount": lambda _, __, total: {"totalCount": total},
    "count": lambda _, __, total: {"count": total},
    "count and next": lambda page, size, total: {"count": total, "next": link(page, size, total), "previous": None},
    "total_pages": lambda _, size, total: {"total_pages": pages(size, total)},
    "page and pages": lambda page, size, total: {"page": page, "pages": pages(size, total)},
    "pagination.total": lambda _, __, total: {"pagination": {"total": total}},
    "pagination.has_next": lambda page, size, total: {"pagination": {"has_next": follows(page, size, total)}},
    "meta.total": lambda _, __, total: {"meta": {"total": total}},
    "meta.pagination.total_entries": lambda _, __, total: {"meta": {"pagination": {"total_entries": total}}},
    "meta.last_page": lambda page, size, total: {"meta": {"current_page": page, "last_page": pages(size, total)}},
    "page.totalElements": lambda page, size, total: {"page": {"size": size, "totalElements": total, "number": page}},
    "next": lambda page, size, total: {"next": link(page, size, total)},
    "next_page": lambda page, size, total: {"next_page": page + 1 if follows(page, size, total) else None},
    "nextPageToken": lambda page, size, total: {"nextPageToken": "a1" if follows(page, size, total) else ""},
    "links.next": lambda page, size, total: {"links": {"next": link(page, size, total)}},
    "_links.next.href": lambda page, size, total: {"_links": {"next": {"href": link(page, size, total)}}},
    "links with rel": lambda page, size, total: {
        "links": [{"rel": "next", "href": link(page, size, total)}] if follows(page, size, total) else []
    },
    "has_more": lambda page, size, total: {"has_more": follows(page, size, total)},
    "hasMore as text": lambda page, size, total: {"hasMore": str(follows(page, size, total)).lower()},
    "has_more as a number": lambda page, size, total: {"has_more": int(follows(page, size, total))},
    "paging.hasNextPage": lambda page, size, total: {"paging": {"hasNextPage": follows(page, size, total)}},
    "last": lambda page, size, total: {"last": not follows(page, size, total)},
    "remaining": lambda page, size, total: {"remaining": max(0, total - page * size)},
    "truncated": lambda page, size, total: {"is_truncated": follows(page, size, total)},
    "nothing": lambda _, __, ___: {},
    "total null": lambda _, __, ___: {"total": None},
    "total of no number": lambda _, __, ___: {"total": "many"},
    "total below 0": lambda _, __, ___: {"total": -1},
    "total too small": lambda _, size, total: {"total": min(size, total) - 1},
    "no total, but more": lambda page, size, total: {"total": 0, "has_more": follows(page, size, total)},
}
SIZES = (7, 20, 45, 100)
"""Rows that the API gives at most."""


def named(at: int) -> JsonObject:
    return dict.fromkeys(("id", "instance_id", "volume_id", "snapshot_id", "image_id"), f"{at}") | {"at": at}


@dataclass
class Lists(httpx2.AsyncBaseTransport):
    """An API that pages in its own way."""

    says: Saying
    most: int
    operation: Operation
    rows: int = ROWS
    heeds_page: bool = True
    heeds_limit: bool = True
    first: int = 1
    """The number of its first page."""
    overlap: int = 0
    """Rows of a page that stood at the end of the one before."""
    row: Callable[[int], Any] = named
    requests: list[httpx2.Request] = field(default_factory=list)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        size = min(self.most, int(request.url.params.get("limit", 20))) if self.heeds_limit else self.most
        page = int(request.url.params.get("page", 1)) - self.first + 1 if self.heeds_page else 1
        if page < 1:
            return httpx2.Response(404, json={"detail": "Invalid page."})
        begin = (page - 1) * max(1, size - self.overlap)
        there = [self.row(at) for at in range(self.rows)[begin : begin + size]]
        return httpx2.Response(200, json={self.operation.result: there, **self.says(page, size, self.rows)})


async def read(api: Lists, **more: Any) -> Listing:
    path = dict.fromkeys(api.operation.placeholders, "1")
    return await read_list(reader(client(api)), api.operation.tool, path, **more)


def apis(operation: Operation) -> list[tuple[str, Lists]]:
    """Each way with each size for the first operation; for the others each way once, the sizes taking turns."""
    number = PAGED.index(operation)
    return [
        (f"{way}, {most} a page", Lists(says, most, operation))
        for at, (way, says) in enumerate(WAYS.items())
        for most in (SIZES if number == 0 else [SIZES[(at + number) % len(SIZES)]])
    ]


@pytest.mark.parametrize("operation", PAGED, ids=lambda operation: operation.tool)
async def test_a_list_is_read_to_its_end_however_that_is_told(operation: Operation) -> None:
    for way, api in apis(operation):
        found = await read(api)
        assert (len(found.rows), found.extent) == (ROWS, Extent.COMPLETE), way


@pytest.mark.parametrize("operation", PAGED, ids=lambda operation: operation.tool)
async def test_a_first_page_alone_never_passes_for_a_longer_list(operation: Operation) -> None:
    for way, api in apis(operation):
        alone = listing_of(operation.tool, typed(operation, json.loads((await answered(api)).content)))
        assert len(alone.rows) == ROWS or not alone.complete, way


async def answered(api: Lists) -> httpx2.Response:
    return await api.handle_async_request(httpx2.Request("GET", "https://barrack.example/api/x/?page=1&limit=100"))


ODD: dict[str, JsonObject] = {
    "ignores the page": {"heeds_page": False},
    "ignores the limit": {"heeds_limit": False},
    "ignores both": {"heeds_page": False, "heeds_limit": False},
    "counts pages from 0": {"first": 0},
    "overlaps": {"overlap": 1},
    "overlaps and counts from 0": {"overlap": 3, "first": 0},
}


@pytest.mark.parametrize("odd", ODD)
async def test_what_did_not_come_is_never_taken_for_what_is_not_there(odd: str) -> None:
    """Each way with two sizes that take turns over ways and oddities; the commonest ways with all of them."""
    sizes = (10, 20, 44, 45, 100)
    for at, (way, says) in enumerate(WAYS.items(), [*ODD].index(odd)):
        for most in sizes if way in COMMON else (sizes[at % 5], sizes[(at + 2) % 5]):
            api = Lists(says, most, BY_TOOL["list_instances"], **ODD[odd])
            found = await read(api)
            assert len(found.rows) == len({row["instance_id"] for row in found.rows})
            if found.complete:
                # of an API that gives 44 rows again and again and says nothing, nobody can know
                silent = most == 44 and not api.heeds_page and way in SILENT
                # nor of one that gives none and says that there are none
                denied = not found.rows and way == "no total, but more"
                assert len(found.rows) == ROWS or silent or denied, (way, most)
            elif most == 100 and api.heeds_page and api.first and way in COMMON:
                raise AssertionError((way, most, found))


COMMON = ("total", "the documented way", "has_more")
SILENT = ("nothing", "total null", "total of no number", "total below 0", "total too small")


@pytest.mark.parametrize("rows", [0, 1, 5, 19])
async def test_a_short_list_is_whole_and_costs_few_requests_where_its_length_is_told(rows: int) -> None:
    for way, says in WAYS.items():
        api = Lists(says, 100, BY_TOOL["list_volumes"], rows=rows)
        found = await read(api)
        assert (len(found.rows), found.complete) == (rows, True), way
        assert len(api.requests) <= (1 if way in ("total", "the documented way", "meta.total") else 3), way


@pytest.mark.parametrize("operation", AT_ONCE, ids=lambda operation: operation.tool)
async def test_a_list_without_pages_is_not_whole_where_something_says_more(operation: Operation) -> None:
    for way, says in WAYS.items():
        api = Lists(says, 20, operation)
        found = await read(api)
        assert found.complete is (way in SILENT), way
        assert len(api.requests) == 1


def constant(said: JsonObject) -> Saying:
    return lambda *_: said


async def test_rows_of_a_shape_that_is_not_read_are_counted_and_make_no_list_whole() -> None:
    odd: list[list[Any]] = [["BRK-1D"] * 15, [["BRK-1D"]], [None, {"instance_id": "BRK-1D"}], [1]]
    for rows in odd:
        said: list[JsonObject] = [{}, {"total": len(rows)}, {"has_more": False}]
        for more in said:
            api = Lists(constant(more), 100, BY_TOOL["list_instances"], rows=len(rows), row=rows.__getitem__)
            found = await read(api)
            kept = sum(isinstance(row, dict) for row in rows)
            assert (len(found.rows), found.unread, found.extent) == (kept, len(rows) - kept, Extent.PARTLY)
            assert "of a shape that is not read" in found.why_not
            assert "of a shape that is not read" in found.so_far


@pytest.mark.parametrize("name", ["next_name", "message", "total_cost", "name", "status", "subtotal", "nextbilling"])
def test_what_is_no_sign_is_not_taken_for_one(name: str) -> None:
    assert signs_of({"instances": [], name: 7}) == signs_of({"instances": []})


def heavy(rules: int) -> Callable[[int], JsonObject]:
    return lambda at: {"instance_id": f"BRK-{at}D", "vm_name": f"vm-{at}", "security_rules": [{"id": "1"}] * rules}


@pytest.mark.parametrize("most", [20, 100])
@pytest.mark.parametrize(("rules", "rows"), [(100, 119), (1_000, 59), (5_000, 11)])
async def test_a_page_that_is_too_large_is_read_in_smaller_ones(rules: int, rows: int, most: int) -> None:
    api = Lists(WAYS["the documented way"], most, BY_TOOL["list_instances"], rows=rows)
    api.row = heavy(rules)
    found = await read(api)
    assert (len(found.rows), found.extent) == (rows, Extent.COMPLETE)


@pytest.mark.parametrize(("page", "limit"), [(1, 100), (2, 100), (1, 37), (4, 37), (3, 50), (9, 100), (119, 1)])
async def test_a_page_for_the_caller_is_joined_from_smaller_ones_and_holds_what_it_would_have(
    page: int, limit: int
) -> None:
    api = Lists(WAYS["the documented way"], 100, BY_TOOL["list_instances"], rows=119)
    api.row = heavy(1_000)
    data = await read_page(reader(client(api)), "list_instances", {"page": page, "limit": limit})
    ids = [row["instance_id"] for row in data["instances"]]
    assert ids == [f"BRK-{at}D" for at in range(119)][(page - 1) * limit : page * limit]
    assert (data["total"], data["page"], data["limit"]) == (119, page, limit)


async def test_a_row_that_is_too_large_by_itself_makes_a_list_unreadable_not_empty() -> None:
    api = Lists(WAYS["total"], 100, BY_TOOL["list_instances"], rows=2)
    api.row = heavy(30_000)
    found = await read(api)
    assert (found.rows, found.extent) == ([], Extent.UNKNOWN)
    assert "was not read" in found.why_not


DEPLOY = {
    "name": "box",
    "tier": "legacy",
    "region": "NORWAY-1",
    "gpu_model": "RTX-A6000",
    "gpu_count": 1,
    "boot_source": "os_image",
    "os_image": "Ubuntu Server 22.04 LTS",
    "ssh_key_ids": ["KEY-1"],
}
PRICES = {
    "gpus": {"pricing": {"legacy": {"RTX-A6000": {"prices": {"USD": 0.5}}}}},
    "volumes": {"pricing": {}},
    "snapshots": {"pricing": {}},
}


@dataclass
class World(httpx2.AsyncBaseTransport):
    """An account whose instances are told in one way, and all else is empty; it counts what changes."""

    instances: Lists
    effects: list[str] = field(default_factory=list)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/api")
        if request.method != "GET":
            self.effects.append(f"{request.method} {path}")
            return httpx2.Response(200, json={"success": True, "data": {"instance_id": "BRK-9D"}})
        if path == "/instances/":
            return await self.instances.handle_async_request(request)
        known: dict[str, JsonObject] = {
            "/pricing/": {"pricing_data": PRICES},
            "/balance/": {"balance": {"amount": 250.0, "currency": "USD"}},
            "/instances/7/": {"instance": running(7)},
            "/ssh-keys/KEY-1/": {"ssh_key": {"id": "KEY-1", "name": "laptop", "public_key": "ssh-ed25519 AAAA"}},
        }
        empty: JsonObject = {
            name: [] for name in ("volumes", "snapshots", "ssh_keys", "regions", "images", "firewalls", "records")
        }
        return httpx2.Response(200, json=known.get(path, {**empty, "total": 0}))


def running(at: int) -> JsonObject:
    machine = {"gpu_type": "RTX-A6000", "gpu_count": 1, "tier": "legacy", "status": "ACTIVE"}
    return {"instance_id": f"{at}", "vm_name": f"vm-{at}", **machine}


def world(says: Saying, **more: Any) -> World:
    return World(Lists(says, 20, BY_TOOL["list_instances"], **{"row": running} | more))


async def deployed(api: World) -> Any:
    corridor = dispatcher(api, guard=guard(unattended=["spend", "destroy"], max_hourly_cost=Decimal(20)))
    answer = await corridor.call("deploy_instance", DEPLOY)
    assert isinstance(answer, Answer)
    return answer


@pytest.mark.parametrize("way", [way for way in WAYS if way not in SILENT])
async def test_a_purchase_under_a_limit_is_not_made_by_what_the_first_page_shows(way: str) -> None:
    """45 machines cost 22.50 an hour, 20 of them 10: with a limit of 20 the first page alone would let it pass."""
    odds: list[JsonObject] = [{}, {"heeds_page": False}]
    for odd in odds:
        api = world(WAYS[way], **odd)
        answer = await deployed(api)
        assert (answer.structured["outcome"], api.effects) == ("refused", [])
        if odd:
            assert "not all could be read: the instances that run (" in answer.text


async def test_a_purchase_under_a_limit_is_made_where_all_was_read() -> None:
    for way, says in WAYS.items():
        api = world(says, rows=30)
        answer = await deployed(api)
        assert (answer.structured["outcome"], len(api.effects)) == ("done", 1), (way, answer.text)


async def test_a_purchase_under_a_limit_is_not_made_where_rows_are_of_a_shape_that_is_not_read() -> None:
    api = world(constant({}), rows=15, row=lambda at: f"BRK-{at}D")
    answer = await deployed(api)
    assert (answer.structured["outcome"], api.effects) == ("refused", [])
    assert "15 of them of a shape that is not read" in answer.text


async def test_a_name_on_a_page_that_did_not_come_is_not_nobodys_and_one_that_came_not_unique() -> None:
    for way, says in WAYS.items():
        api = world(says, heeds_page=False)
        corridor = dispatcher(api, guard=guard(unattended=["destroy"]))
        for name in ("vm-7", "vm 40"):
            answer = await corridor.call("delete_instance", {"instance_id": name})
            assert isinstance(answer, Answer)
            assert "not all instances could be read" in answer.text, (way, answer.text)
            assert api.effects == []


async def test_an_empty_table_says_none_only_where_nothing_says_that_there_are_some() -> None:
    cases: list[tuple[JsonObject, bool]] = [({}, True), ({"total": 0}, True), ({"total": 5}, False)]
    for said, none in [*cases, ({"has_more": True}, False)]:
        api = world(constant(said), rows=0)
        answer = await dispatcher(api).call("list_instances", {})
        assert isinstance(answer, Answer)
        assert ("None." in answer.text.splitlines()) is none
    api = world(constant({}), rows=3, row=lambda at: f"BRK-{at}D")
    answer = await dispatcher(api).call("list_instances", {})
    assert isinstance(answer, Answer)
    assert "3 rows are of a shape that is not read, and left out." in answer.text
    assert "None." not in answer.text


@pytest.mark.parametrize("limit", [10, 20, 50])
async def test_the_rows_of_an_api_that_has_its_own_size_of_page_are_all_shown_and_rightly_numbered(limit: int) -> None:
    api = world(WAYS["the documented way"], heeds_limit=False)
    shown: list[str] = []
    for page, where in ((1, "Rows 1-20 of 45. page=2"), (2, "Rows 21-40 of 45. page=3"), (3, "Rows 41-45 of 45.")):
        answer = await dispatcher(api).call("list_instances", {"page": page, "limit": limit})
        assert isinstance(answer, Answer)
        shown += [row["instance_id"] for row in answer.structured["instances"]]
        assert where in answer.text
    assert shown == [f"{at}" for at in range(ROWS)]
