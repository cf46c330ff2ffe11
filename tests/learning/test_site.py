"""A documentation site alone teaches the whole API, however odd its pages: politely and without a key."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from barrack_mcp.api.learning.asking import AT_ONCE, MOST, open_asker
from barrack_mcp.api.learning.found import Found
from barrack_mcp.api.learning.site import LEFT_FOR_THE_API, read_site
from barrack_mcp.api.openapi.adopt import adopt, adopted
from barrack_mcp.api.openapi.comparison import compare
from barrack_mcp.api.openapi.document import Document, read
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.loading import load
from barrack_mcp.api.wire.overrides import Overrides
from barrack_mcp.catalogue import OPERATIONS, Operation
from barrack_mcp.state.cache import CacheFolder
from tests.contracts import dialect
from tests.contracts.other import ALIKE, ALIKE_VALUES
from tests.contracts.test_second_barrack import works
from tests.learning.apidog import SERVER, SITE, Answer, Endpoint, Rounds, Site, endpoints, make_odd
from tests.support.patience import PATIENT_S
from tests.support.running import KEY, listening

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 27)


class Key(httpx2.Auth):
    def auth_flow(self, request: httpx2.Request) -> Any:
        request.headers["Authorization"] = f"Bearer {KEY}"
        yield request


async def learned(site: Site, url: str = SITE, *, cache: Path | None = None, home: str = SITE, **more: Any) -> Found:
    """Read a site in this process, with a key at hand that is good for the very same host."""
    kept = CacheFolder(cache) if cache is not None else None
    with anyio.fail_after(PATIENT_S):
        async with open_asker(home, Key(), app=site) as asker:
            return await read_site(asker, url, **{"cache": kept, "today": TODAY} | more)


def of(tool: str, pages: list[Endpoint]) -> Endpoint:
    return next(page for page in pages if page.tool == tool)


def sure(found: Found) -> set[str]:
    return {match.operation.tool for match in compare(found.document).matches if match.sure}


WHOLE = read(dialect.as_bytes(dialect.written()), "other.json")
"""What the second Barrack says of itself in one document."""


def taught(document: Document) -> Overrides:
    """What is adopted from a document, whoever is its witness."""
    said = adopted(document)
    return replace(said, operations={tool: replace(one, documented=None) for tool, one in said.operations.items()})


EVERY = {operation.tool for operation in OPERATIONS}


def few() -> list[Endpoint]:
    """Pages of some operations, in their order, where it is not the point that there are all."""
    return [
        page for page in endpoints() if page.folder == "Volumes" or page.tool in {"start_instance", "stop_instance"}
    ]


FEW = {page.tool for page in few()}


@pytest.fixture(scope="module", name="from_pages")
def _from_pages() -> Contract:
    """What is adopted from all pages, each with an oddity."""
    found = anyio.run(learned, Site(make_odd(endpoints())))
    return Contract(load(adopt(found.document).encode(), "learned.toml"))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.tool)
async def test_learned_from_the_site_alone_every_operation_works(from_pages: Contract, operation: Operation) -> None:
    await works(from_pages, operation, ALIKE, ALIKE_VALUES)


async def test_plain_pages_say_what_the_whole_document_says() -> None:
    found = await learned(Site(endpoints()))
    assert taught(found.document) == taught(WHOLE)
    assert found.complete
    assert found.document.url == f"{SERVER}/api"
    assert (found.notes, found.document.notes) == ((), [])
    assert {operation.origin for operation in found.document.operations} == {SITE + each.path for each in endpoints()}


async def test_nothing_but_get_is_asked_without_any_key_and_each_page_once() -> None:
    site = Site(endpoints())
    await learned(site)
    assert {method for method, _, _ in site.asked} == {"GET"}
    assert site.hosts == {SITE}
    assert KEY not in str(site.asked)
    assert sorted(site.read) == sorted(page.path for page in endpoints())


async def test_pages_are_read_four_at_once() -> None:
    site, rounds = Site(endpoints()), Rounds()
    site.before = rounds.wait
    async with anyio.create_task_group() as group:
        group.start_soon(rounds.run)
        found = await learned(site)
        group.cancel_scope.cancel()
    assert sure(found) == EVERY
    assert site.most_at_once == AT_ONCE
    assert rounds.rounds <= 1 + -(-len(EVERY) // AT_ONCE) + 2


async def test_of_seven_hundred_pages_ours_are_read_and_the_rest_is_told() -> None:
    others = [_other(number) for number in range(637)]
    pages = [*others[:300], *endpoints(), *others[300:]]
    site = Site(pages)
    found = await learned(site)
    assert sure(found) == EVERY
    assert len(site.asked) == 1 + len(EVERY)
    assert any("Not read, for want of a title of ours: 637 pages" in note for note in found.notes)


async def test_where_ours_is_missing_other_pages_are_read_the_likeliest_first_within_the_budget() -> None:
    pages = [page for page in endpoints() if page.tool != "create_volume"]
    renamed = of("create_volume", endpoints())
    renamed.title = renamed.operation["summary"] = "Create a new volume"
    site = Site([*(_other(number) for number in range(637)), *pages, renamed])
    found = await learned(site, limit=80)
    assert len(site.asked) == 80
    assert site.read.index(renamed.path) == len(pages)
    assert not found.complete
    assert any("All 80 requests" in note and "Still to read: 621 pages" in note for note in found.notes)


def _other(number: int) -> Endpoint:
    said = {"summary": f"Thing {number}", "responses": {"200": {"description": ""}}}
    document = {"openapi": "3.0.1", "paths": {f"/api/things/{number}": {"get": said}}, "servers": [{"url": SERVER}]}
    return Endpoint("", f"Thing {number}", "Things", 30_000_000 + number, document)


async def test_of_two_generations_the_newer_page_counts_and_the_other_is_told() -> None:
    old = of("create_volume", endpoints())
    ((path, item),) = old.document["paths"].items()
    old.document["paths"] = {path + "/v0": item}
    old.number = 1234567
    site = Site([old, *endpoints()])
    found = await learned(site)
    assert sure(found) == EVERY
    assert old.path not in site.read
    assert any("1234567" in note and "«Create volume»" in note for note in found.notes)
    assert not any("/v0" in operation.path for operation in found.document.operations)


@pytest.mark.parametrize("change", ["broken", "deprecated", "developing"])
async def test_where_the_newer_page_is_broken_or_not_in_use_the_older_counts(change: str) -> None:
    new = of("create_volume", few())
    new.number += 1000
    if change == "deprecated":
        new.operation["deprecated"] = True
    elif change == "developing":
        new.operation["x-apidog-status"] = "developing"
    site = Site([new, *few()])
    if change == "broken":
        site.answers[new.path] = Answer(b"<html>")
    found = await learned(site)
    (chosen,) = [each for each in found.document.operations if each.summary == "Create volume"]
    assert chosen.origin == SITE + of("create_volume", few()).path
    assert sure(found) == FEW


async def test_a_deprecated_page_alone_needs_a_person() -> None:
    pages = few()
    of("create_volume", pages).operation["deprecated"] = True
    found = await learned(Site(pages))
    assert sure(found) == FEW - {"create_volume"}
    assert any(note.startswith("Deprecated") and "«Create volume»" in note for note in found.notes)


def _many(status: str, pages: list[Endpoint]) -> Site:
    for page in pages:
        page.operation["x-apidog-status"] = status
    return Site([*pages, _other(1)])


async def test_pages_that_are_not_marked_as_released_are_told_and_count() -> None:
    site = _many("testing", endpoints())
    found = await learned(site)
    assert sure(found) == EVERY
    assert len(site.read) == len(EVERY)
    assert any(note.startswith("Marked as «testing», not as released") for note in found.notes)


async def test_pages_of_obsolete_operations_need_a_person() -> None:
    assert sure(await learned(_many("obsolete", few()))) == set()


@pytest.mark.parametrize("place", ["heading", "index"])
async def test_a_page_under_another_title_than_the_index_gives_it_is_told(place: str) -> None:
    pages = few()
    page = of("start_instance", pages)
    if place == "heading":
        page.heading = "Power on an instance"
    else:
        page.title = "Boot it"
    found = await learned(Site(pages))
    assert sure(found) == FEW
    assert any("another title than the index gives them" in note and "«Start instance»" in note for note in found.notes)


@pytest.mark.parametrize("other", ["Stop instance", "Delete volume", "Remove it"])
async def test_a_page_whose_titles_say_different_things_needs_a_person(other: str) -> None:
    pages = [page for page in few() if page.title.strip() != other]
    of("start_instance", pages).title = other
    found = await learned(Site(pages))
    assert "start_instance" not in sure(found)
    assert any(f"«{other}»" in note for note in found.notes)


async def test_what_pages_contradict_each_other_on_is_not_learned_and_told_with_counts() -> None:
    pages = few()
    pages[0].document["servers"] = [{"url": "https://staging.example"}]
    scheme = {"type": "http", "scheme": "bearer"}
    for page in pages[:2]:
        page.document["components"]["securitySchemes"]["ApiKeyAuth"] = scheme
    found = await learned(Site(pages))
    assert (found.document.url, found.document.auth) == (None, None)
    assert sure(found) == FEW
    most = len(pages) - 1
    assert any(f"«other.example» ({most}), «staging.example» (1)" in note for note in found.notes)
    assert any(
        f"«X-API-Key: {{key}}» ({most - 1}), «Authorization: Bearer {{key}}» (2)" in note for note in found.notes
    )


async def test_what_only_some_pages_say_holds_for_all() -> None:
    pages = endpoints()
    for page in pages[1:]:
        page.document["servers"] = []
        page.document["components"]["securitySchemes"] = {}
    found = await learned(Site(pages))
    assert taught(found.document) == taught(WHOLE)


async def test_a_page_of_others_says_nothing_of_our_address_and_key() -> None:
    pages, other = endpoints(), _other(1)
    other.document["servers"] = [{"url": "https://console.example"}]
    found = await learned(Site([*pages[1:], other]))
    assert found.document.url == f"{SERVER}/api"


@pytest.mark.parametrize("server", ["https://other.example/api", "https://other.example", "/api", "/"])
async def test_a_page_may_count_its_path_from_any_server(server: str) -> None:
    pages = few()
    for page in pages[::2]:
        page.document["servers"] = [{"url": server}]
        ((path, item),) = page.document["paths"].items()
        page.document["paths"] = {path.removeprefix("/api") if server.endswith("/api") else path: item}
    found = await learned(Site(pages))
    known = taught(WHOLE).operations
    assert taught(found.document).operations == {tool: known[tool] for tool in FEW}


async def test_one_schema_name_may_have_two_bodies_on_two_pages() -> None:
    pages = endpoints()
    of("get_volume", pages).document["components"]["schemas"]["VolumeResponse"] = {
        "type": "object",
        "properties": {"a": {}},
    }
    found = await learned(Site(pages))
    compared = {match.operation.tool: match for match in compare(found.document).matches}
    inside = {tool: str(compared[tool].theirs.answer) for tool in ("get_volume", "list_volumes")}
    assert "disk_name" not in inside["get_volume"]
    assert "disk_name" in inside["list_volumes"]


@pytest.mark.parametrize(("auth", "asked"), [(Key(), MOST - LEFT_FOR_THE_API), (None, MOST)])
async def test_the_site_leaves_requests_to_the_api_if_there_is_a_key_to_ask_it_with(
    auth: Key | None, asked: int
) -> None:
    site = Site([*endpoints()[1:], *(_other(number) for number in range(300))])
    async with open_asker(SITE, auth, app=site) as asker:
        await read_site(asker, SITE, cache=None, today=TODAY)
    assert len(site.asked) == asked


@pytest.mark.slow
async def test_a_real_server_teaches_all_of_it_from_any_folder() -> None:
    pages = make_odd(endpoints())
    site = Site(pages)
    app: Any = site
    async with listening(app) as address:
        for path in list(site.answers):
            site.answers[f"/docs{path}"] = Answer(
                site.answers.pop(path).body.replace(SITE.encode(), f"{address}/docs".encode())
            )
        async with open_asker(f"{address}/api", Key()) as asker:
            found = await read_site(asker, f"{address}/docs/", cache=None, today=TODAY)
    assert sure(found) == EVERY
    assert KEY not in str(site.asked)
