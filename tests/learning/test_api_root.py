"""The API's root: its map is read as addresses of lists, whatever form it has; nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from barrack_mcp.api.learning.found import Found, Hindrance
from barrack_mcp.api.learning.root import find_lists
from barrack_mcp.api.openapi.comparison import compare
from tests.learning.scripted_api import HOME, TODAY, Says, Scripted, asking

pytestmark = pytest.mark.anyio


async def mapped(api: Scripted, **how: Any) -> Found | None:
    async with asking(api, **how) as asker:
        return await find_lists(asker, HOME, today=TODAY)


def lists(found: Found | None) -> dict[str, str]:
    assert found is not None
    assert all(operation.method == "GET" for operation in found.document.operations)
    return {operation.path: operation.operation_id for operation in found.document.operations}


@pytest.mark.parametrize(
    "address",
    [
        "https://api.example.com/api/disks/",
        "http://api.example.com/api/disks/",
        "//api.example.com/api/disks/",
        "/api/disks/",
        "disks/",
        "./disks/?format=json",
        "disks",
    ],
)
async def test_addresses_of_every_form_are_taken_as_paths_below_the_api(address: str) -> None:
    api = Scripted({"GET /api/": Says({"disks": address})})
    found = lists(await mapped(api))
    assert found == {"/disks" if address == "disks" else "/disks/": "list_volumes"}
    assert len(api.asked) == 1
    assert api.asked[0].key


async def test_a_list_under_another_name_is_adopted_as_ours() -> None:
    root = {"disks": "disks/", "machines": "compute/machines/", "keys": "ssh/public/", "security-groups": "sg/"}
    found = await mapped(Scripted({"GET /api/": Says(root)}))
    assert found is not None
    sure = {match.operation.tool: match.theirs.path for match in compare(found.document).matches if match.sure}
    assert sure == {
        "list_volumes": "/disks/",
        "list_instances": "/compute/machines/",
        "list_ssh_keys": "/ssh/public/",
        "list_firewalls": "/sg/",
    }


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example.com/api/volumes/",
        "https://api.example.com:8443/api/volumes/",
        "https://user@api.example.com/api/volumes/",
        "//elsewhere.example.com/volumes/",
        "/other/volumes/",
        "https://api.example.com/api/../volumes/",
        "https://api.example.com/api/%2e%2e/volumes/",
        "/api//volumes/",
        "https://[::1/volumes/",
    ],
)
async def test_an_address_elsewhere_is_told_and_neither_used_nor_asked(address: str) -> None:
    api = Scripted({"GET /api/": Says({"volumes": address})})
    found = await mapped(api)
    assert lists(found) == {}
    assert found is not None
    assert "another place" in found.notes[0]
    assert address not in found.notes[0]
    assert {asked.host for asked in api.asked} == {"api.example.com"}
    assert len(api.asked) == 1


async def test_what_is_no_address_is_passed_over() -> None:
    root = {
        "volumes": "/api/volumes/",
        "version": "1.2.3",
        "message": "Welcome to the API",
        "count": 3,
        "none": None,
        "ok": True,
        "rows": ["/api/rows/"],
    }
    assert lists(await mapped(Scripted({"GET /api/": Says(root)}))) == {"/volumes/": "list_volumes"}


async def test_maps_inside_maps_are_read_and_so_are_the_routers_that_a_map_leads_to() -> None:
    api = Scripted(
        {
            "GET /api/": Says({"storage": {"volumes": "/api/storage/volumes/"}, "compute": "/api/compute/"}),
            "GET /api/compute/": Says({"machines": "/api/compute/machines/", "extras": "more/"}),
            "GET /api/compute/more/": Says({"count": 0, "next": None, "results": []}),
        }
    )
    assert lists(await mapped(api)) == {
        "/storage/volumes/": "list_volumes",
        "/compute/machines/": "list_instances",
        "/compute/more/": "extras",
    }


async def test_routers_that_lead_to_each_other_end() -> None:
    there = {
        f"GET /api/{name}/": Says({f"x{each}": f"/api/r{each}/" for each in range(50)})
        for name in map("r{}".format, range(50))
    }
    api = Scripted({"GET /api/": Says({"first": "/api/r0/"}), **there})
    await mapped(api)
    assert len(api.asked) < 12


async def test_two_lists_that_may_be_the_same_are_left_to_a_person() -> None:
    found = await mapped(Scripted({"GET /api/": Says({"servers": "/api/servers/", "machines": "/api/machines/"})}))
    assert found is not None
    assert not [match for match in compare(found.document).matches if match.sure]


@pytest.mark.parametrize(
    ("said", "hindrance"),
    [
        (Says({"detail": "Invalid token."}, 401), Hindrance.KEY),
        (Says({"detail": "No."}, 403), Hindrance.KEY),
        (Says({"detail": "Slow."}, 429), Hindrance.THROTTLED),
        (Says(b"", 503), Hindrance.UNREACHABLE),
        (Says(b"<html>", 403, {"content-type": "text/html"}), Hindrance.GATEWAY),
        (Says(b"<html>Welcome", 200, {"content-type": "text/html"}), Hindrance.GATEWAY),
        (Says(b"", 302, {"location": "https://login.example.net/"}), Hindrance.GATEWAY),
    ],
)
async def test_what_is_in_the_way_is_told_at_once(said: Says, hindrance: Hindrance) -> None:
    api = Scripted(lambda _: said)
    found = await mapped(api)
    assert found is not None
    assert (found.hindered, found.complete, len(api.asked)) == (hindrance, False, 1)


@pytest.mark.parametrize("said", [Says({}), Says([]), Says(b"hello"), Says("text"), Says(b"", 404), Says(b"\xff")])
async def test_a_root_that_tells_nothing_is_nothing_to_say(said: Says) -> None:
    assert await mapped(Scripted({"GET /api/": said})) is None
