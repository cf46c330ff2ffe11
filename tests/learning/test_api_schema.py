"""The API's own document: found where such APIs serve it, and nothing else is taken for one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from barrack_mcp.api.learning.found import Found, Hindrance, Source
from barrack_mcp.api.learning.schema import PLACES, find_schema
from barrack_mcp.api.openapi.comparison import compare
from tests.learning.scripted_api import HOME, TODAY, Asked, Says, Scripted, asking

pytestmark = pytest.mark.anyio


def written(*paths: str, **more: Any) -> dict[str, Any]:
    return {"openapi": "3.0.3", "paths": {path: {"get": {"responses": {}}} for path in paths}, **more}


async def sought(api: Scripted, **how: Any) -> Found | None:
    async with asking(api, **how) as asker:
        return await find_schema(asker, HOME, today=TODAY)


def paths(found: Found | None) -> list[str]:
    assert found is not None
    return [operation.path for operation in found.document.operations]


@pytest.mark.parametrize("base", ["/api/", "/"])
@pytest.mark.parametrize("place", PLACES)
async def test_a_document_is_found_at_each_of_its_places_and_nothing_is_asked_after_it(base: str, place: str) -> None:
    api = Scripted({f"GET {base}{place}": Says(written("/volumes/"))})
    found = await sought(api)
    assert found is not None
    assert (found.source, found.day, found.hindered) == (Source.DOCUMENT, TODAY, None)
    assert paths(found) == ["/volumes/"]
    assert api.addresses[-1] == base + place
    assert len(set(api.addresses)) == len(api.addresses)
    assert all(asked.key and asked.method == "GET" for asked in api.asked)


async def test_what_only_people_without_a_key_may_read_is_found_too() -> None:
    def answers(asked: Asked) -> Says | None:
        if asked.address != "/api/schema.json":
            return None
        return Says({"detail": "wrong header"}, 401) if asked.key else Says(written("/volumes/"))

    assert paths(await sought(Scripted(answers))) == ["/volumes/"]


async def test_yaml_is_read_like_json() -> None:
    raw = b"openapi: 3.0.3\npaths:\n  /volumes/:\n    get: {responses: {}}\n"
    assert paths(await sought(Scripted({"GET /api/schema/": Says(raw)}))) == ["/volumes/"]


@pytest.mark.parametrize(
    "wrong",
    [
        Says(b"<!doctype html><title>Swagger UI</title>", headers={"content-type": "text/html"}),
        Says({"detail": "Not found."}, 200),
        Says([], 200),
        Says(b"", 204),
        Says(written("/volumes/"), 500),
        Says(written(), 200),
        Says(b"", 302, {"location": "https://elsewhere.example.com/schema/"}),
        Says(b"", 302, {"location": "/login/?next=/api/schema/"}),
        Says(b"", 302, {"location": "/api/schema/?format=json&token=abc"}),
        Says(b"", 301, {"location": "http://[::1"}),
    ],
)
async def test_what_is_no_document_is_passed_over_and_a_redirect_elsewhere_is_not_followed(wrong: Says) -> None:
    api = Scripted({"GET /api/schema/": wrong, "GET /openapi.yaml": Says(written("/volumes/"))})
    assert paths(await sought(api)) == ["/volumes/"]
    assert {asked.host for asked in api.asked} == {"api.example.com"}
    assert len(api.asked) == 2 * len(PLACES)


@pytest.mark.parametrize(
    ("place", "location"),
    [
        ("schema.json", "/api/schema.json/"),
        ("schema/", "/api/schema/?format=openapi"),
        ("docs/schema/", "https://api.example.com/api/docs/schema.json"),
    ],
)
async def test_a_redirect_that_only_adds_a_slash_or_a_format_is_asked_once(place: str, location: str) -> None:
    there = location.removeprefix("https://api.example.com")
    api = Scripted(
        {f"GET /api/{place}": Says(b"", 301, {"location": location}), f"GET {there}": Says(written("/volumes/"))}
    )
    assert paths(await sought(api)) == ["/volumes/"]
    assert api.addresses[-1] == there


async def test_a_redirect_that_leads_round_in_circles_ends() -> None:
    round_ = {"/api/schema/": "/api/schema", "/api/schema": "/api/schema/"}
    api = Scripted({f"GET {here}": Says(b"", 302, {"location": there}) for here, there in round_.items()})
    assert await sought(api) is None
    assert len(api.asked) == 2 * (2 * len(PLACES) + 1)


@pytest.mark.parametrize(
    ("servers", "path"),
    [
        ([], "/api/volumes/"),
        ([{"url": "https://api.example.com"}], "/api/volumes/"),
        ([{"url": "https://api.example.com/api/"}], "/volumes/"),
        ([{"url": "/api"}], "/volumes/"),
        ([], "/volumes/"),
    ],
)
async def test_paths_are_told_as_they_are_below_the_apis_address(servers: list[Any], path: str) -> None:
    api = Scripted({"GET /api/schema/": Says(written(path, servers=servers))})
    found = await sought(api)
    assert paths(found) == ["/volumes/"]
    assert found is not None
    (match,) = compare(found.document).matches
    assert (match.operation.tool, match.sure) == ("list_volumes", True)


async def test_what_lies_beside_the_api_is_left_out_and_told() -> None:
    found = await sought(Scripted({"GET /schema/": Says(written("/api/volumes/", "/admin/users/", "/apis/x/"))}))
    assert paths(found) == ["/volumes/"]
    assert found is not None
    assert any(note.startswith("2 operations lie outside") for note in found.notes)


async def test_a_document_of_something_else_on_the_same_host_is_passed_over() -> None:
    api = Scripted(
        {
            "GET /schema/": Says(written("/shop/orders/", "/shop/carts/{id}/")),
            "GET /openapi.json": Says(written("/api/instances/")),
        }
    )
    found = await sought(api)
    assert paths(found) == ["/instances/"]
    assert found is not None
    assert "something else" in found.notes[0]


async def test_a_document_of_the_old_kind_is_named_where_there_is_no_other() -> None:
    found = await sought(Scripted({"GET /api/swagger.json": Says({"swagger": "2.0", "paths": {}})}))
    assert found is not None
    assert not found.document.operations
    assert "Swagger 2" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("said", "hindrance", "words", "requests"),
    [
        (Says({"detail": "Invalid token."}, 401), Hindrance.KEY, "refuses the key", 4 * len(PLACES)),
        (Says({"detail": "Slow."}, 429, {"retry-after": "7"}), Hindrance.THROTTLED, "in 7 s", 1),
        (Says({"detail": "Slow."}, 429), Hindrance.THROTTLED, "later", 1),
        (Says(b"", 503, {"retry-after": "60"}), Hindrance.UNREACHABLE, "in 60 s", 1),
        (
            Says(b"<html>Just a moment...", 403, {"content-type": "text/html", "cf-mitigated": "challenge"}),
            Hindrance.GATEWAY,
            "challenge",
            1,
        ),
    ],
)
async def test_what_is_in_the_way_is_told_and_asking_ends_where_it_must(
    said: Says, hindrance: Hindrance, words: str, requests: int
) -> None:
    api = Scripted(lambda _: said)
    found = await sought(api)
    assert found is not None
    assert (found.hindered, found.complete, found.document.operations) == (hindrance, False, ())
    assert words in found.notes[-1]
    assert len(api.asked) == requests


async def test_nothing_to_find_is_nothing_to_say() -> None:
    assert await sought(Scripted({})) is None
    assert await sought(Scripted({}), key=None) is None


async def test_without_a_request_left_it_says_so() -> None:
    found = await sought(Scripted({}), most=3)
    assert found is not None
    assert (found.hindered, found.complete) == (Hindrance.SPENT, False)


async def test_progress_is_told_up_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    async with asking(Scripted({})) as asker:
        await find_schema(asker, HOME, today=TODAY, tell=lambda done, most: told.append((done, most)))
    assert told[-1] == (4 * len(PLACES), 4 * len(PLACES))
    assert json.dumps(told) == json.dumps(sorted(told))
