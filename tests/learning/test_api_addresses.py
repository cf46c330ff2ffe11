"""Addresses tell their methods and fields when asked with OPTIONS or the wrong method, and nothing else is believed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from barrack_mcp.api.learning.addresses import DUMMIES, NOWHERE, ask_addresses
from barrack_mcp.api.learning.found import Found, Hindrance, Source
from barrack_mcp.api.openapi.adopt import adopted
from barrack_mcp.api.openapi.comparison import compare
from barrack_mcp.catalogue import BY_TOOL
from tests.learning.scripted_api import HOME, TODAY, Asked, Says, Scripted, asking

pytestmark = pytest.mark.anyio

ID = rf"(?:{'|'.join(DUMMIES)})"
LABEL = {"type": "string", "required": True, "read_only": False, "label": "Label", "max_length": 80}
DISK = {
    "id": {"type": "integer", "required": False, "read_only": True, "label": "ID"},
    "label": LABEL,
    "size": {"type": "integer", "required": True, "read_only": False, "min_value": 10, "max_value": 4000},
    "kind": {
        "type": "choice",
        "required": True,
        "read_only": False,
        "choices": [{"value": "ssd", "display_name": "SSD"}, {"value": "hdd", "display_name": "HDD"}],
    },
    "tags": {"type": "list", "required": False, "read_only": False, "child": {"type": "string"}},
    "rules": {
        "type": "field",
        "required": False,
        "read_only": False,
        "child": {"type": "nested object", "children": {"port": {"type": "integer", "required": True}}},
    },
}


def rest(methods: str, name: str = "", **actions: Any) -> Says:
    """What Django REST framework answers to OPTIONS."""
    body: dict[str, Any] = {"name": name, "description": "", "renders": ["application/json"], "parses": []}
    return Says(body | ({"actions": actions} if actions else {}), headers={"allow": f"{methods}, HEAD, OPTIONS"})


DISKS = {
    "/disks/": rest("GET, POST", "Disk List", POST=DISK),
    f"/disks/{ID}/": rest("GET, DELETE", "Disk Instance"),
    f"/disks/{ID}/clone/": rest("POST", "Clone", POST={"label": LABEL}),
    f"/disks/{ID}/resize/": rest("PUT", "Resize", PUT={"size": DISK["size"]}),
}


def answering(places: dict[str, Says], otherwise: Callable[[Asked], Says | None] = lambda _: None) -> Scripted:
    def answers(asked: Asked) -> Says | None:
        for pattern, said in places.items():
            if re.fullmatch(f"/api{pattern}", asked.address):
                if asked.method == "OPTIONS":
                    return said
                return Says({"detail": "Method not allowed."}, 405, {"allow": said.headers.get("allow", "")})
        return otherwise(asked)

    return Scripted(answers)


async def learned(api: Scripted, known: dict[str, str] | None = None, **how: Any) -> Found | None:
    async with asking(api, **how) as asker:
        found = await ask_addresses(asker, HOME, known=known or {}, today=TODAY)
    assert all(asked.method in ("GET", "OPTIONS") for asked in api.asked)
    assert len(api.asked) <= 200
    return found


def operations(found: Found | None) -> dict[str, str]:
    assert found is not None
    return {each.operation_id: each.name for each in found.document.operations}


async def test_below_a_list_that_is_known_the_addresses_of_all_that_is_done_are_found_with_their_fields() -> None:
    api = answering(DISKS)
    found = await learned(api, {"list_volumes": "/disks/"})
    assert found is not None
    assert (found.source, found.day, found.complete) == (Source.ADDRESS, TODAY, True)
    assert operations(found) == {
        "create_volume": "POST /disks/",
        "get_volume": "GET /disks/{volume_id}/",
        "clone_volume": "POST /disks/{volume_id}/clone/",
        "resize_volume": "PUT /disks/{volume_id}/resize/",
        "delete_volume": "DELETE /disks/{volume_id}/",
    }
    assert {each.origin.removeprefix(HOME) for each in found.document.operations} <= {
        "/disks/",
        "/disks/{volume_id}/",
        "/disks/{volume_id}/clone/",
        "/disks/{volume_id}/resize/",
    }
    assert all(match.sure for match in compare(found.document).matches)
    assert all(asked.key for asked in api.asked)


async def test_fields_come_with_their_types_limits_and_choices_and_without_what_is_only_read() -> None:
    found = await learned(answering(DISKS), {"list_volumes": "/disks/"})
    assert found is not None
    body = next(each.body for each in found.document.operations if each.operation_id == "create_volume")
    assert body is not None
    assert list(body.fields) == ["label", "size", "kind", "tags", "rules"]
    assert body.required == {"label", "size", "kind"}
    assert body.fields["size"].limits == {"minimum": 10, "maximum": 4000}
    assert body.fields["label"].lengths == {"max_length": 80}
    assert body.fields["kind"].enum == ("ssd", "hdd")
    assert body.fields["tags"].row.kinds == {"string"}
    assert body.fields["rules"].row.required == {"port"}
    override = adopted(found.document).operations["create_volume"]
    assert override.fields == {"request.name": "label", "request.size_gb": "size", "request.volume_type": "kind"} or (
        set(override.fields.values()) >= {"label", "size", "kind"}
    )


@pytest.mark.parametrize("end", ["/", ""])
@pytest.mark.parametrize("number", [0, 1])
async def test_slashes_and_ids_are_tried_both_ways_until_the_api_has_said_which(end: str, number: int) -> None:
    places = {
        pattern.rstrip("/").replace(ID, DUMMIES[number]) + end: said
        for pattern, said in {**DISKS, "/volumes/": rest("GET", "Volumes")}.items()
    }
    places = {pattern.replace("/disks", "/volumes"): said for pattern, said in places.items()}
    api = answering(places)
    found = operations(await learned(api))
    assert found["clone_volume"] == f"POST /volumes/{{volume_id}}/clone{end}"
    assert found["get_volume"] == f"GET /volumes/{{volume_id}}{end}"


async def test_an_api_that_writes_some_paths_with_a_slash_and_some_without_is_learned_whole() -> None:
    places = {pattern if pattern == "/disks/" else pattern.rstrip("/"): said for pattern, said in DISKS.items()}
    found = operations(await learned(answering(places), {"list_volumes": "/disks/"}))
    assert found == {
        "create_volume": "POST /disks/",
        "get_volume": "GET /disks/{volume_id}",
        "clone_volume": "POST /disks/{volume_id}/clone",
        "resize_volume": "PUT /disks/{volume_id}/resize",
        "delete_volume": "DELETE /disks/{volume_id}",
    }


async def test_an_api_that_is_mute_about_options_tells_by_the_methods_that_it_allows_instead() -> None:
    async def met(answer_to_options: Says) -> dict[str, str]:
        places = {
            "/disks/": Says(headers={"allow": "POST"}),
            f"/disks/{ID}/clone/": Says(headers={"allow": "POST, OPTIONS"}),
        }
        api = answering(places)
        inner = api._answers  # noqa: SLF001 - its own scripted API
        assert callable(inner)
        api._answers = lambda asked: (  # noqa: SLF001 - as above
            answer_to_options if asked.method == "OPTIONS" and inner(asked) is not None else inner(asked)
        )
        return operations(await learned(api, {"list_volumes": "/disks/"}))

    cors = {"access-control-allow-methods": "GET, POST, DELETE", "access-control-allow-origin": "*"}
    for mute in (Says(b"", 204, cors), Says(b"", 200, cors), Says(b"", 405), Says(b"", 501), Says(b"", 204)):
        assert await met(mute) == {"create_volume": "POST /disks/", "clone_volume": "POST /disks/{volume_id}/clone/"}


@pytest.mark.parametrize(
    "said",
    [
        Says(b"", 204, {"access-control-allow-methods": "GET, POST, DELETE"}),
        Says(b"", 204, {"allow": "GET, POST, DELETE"}),
        Says(b"", 200, {"access-control-allow-methods": "GET, POST, DELETE"}),
        Says({"success": True}, 200),
        rest("GET, POST, PUT, PATCH, DELETE"),
        Says(b"<html>Welcome", 200, {"content-type": "text/html", "allow": "GET, POST"}),
        Says({"detail": "no"}, 400),
    ],
)
async def test_an_api_that_answers_alike_for_every_address_teaches_nothing(said: Says) -> None:
    api = Scripted(lambda _: said)
    found = await learned(api, {"list_volumes": "/disks/"})
    assert operations(found) == {}
    assert found is not None
    assert "nothing" in found.notes[0]
    assert len(api.asked) < 70


async def test_what_is_said_of_any_thing_is_not_taken_for_a_place_of_its_own() -> None:
    """Below a list, `/disks/types/` may be the disk of that name."""
    anything = {**DISKS, "/disks/[^/]+/": rest("GET, DELETE", "Disk Instance")}
    found = operations(await learned(answering(anything), {"list_volumes": "/disks/"}))
    assert "get_volume" in found
    assert "list_volume_types" not in found
    own = {"/disks/types/": rest("GET", "Types"), **anything}
    found = operations(await learned(answering(own), {"list_volumes": "/disks/"}))
    assert found["list_volume_types"] == "GET /disks/types/"


async def test_what_answers_alike_for_anything_below_a_thing_is_not_believed() -> None:
    anything = {"/disks/": DISKS["/disks/"], "/disks/.+": rest("GET, POST, DELETE", "Anything")}
    assert set(operations(await learned(answering(anything), {"list_volumes": "/disks/"}))) == {"create_volume"}


async def test_a_name_that_repeats_the_address_does_not_make_it_a_place_of_its_own() -> None:
    def answers(asked: Asked) -> Says | None:
        last = asked.address.rstrip("/").rpartition("/")[2]
        return rest("GET, POST, DELETE", last) if asked.address.startswith("/api/disks/") else None

    found = operations(await learned(Scripted(answers), {"list_volumes": "/disks/"}))
    assert set(found) <= {"create_volume"}


async def test_fields_that_an_action_only_repeats_from_its_list_are_not_taken_for_its_own() -> None:
    repeated = {**DISKS, f"/disks/{ID}/clone/": rest("POST", "Clone", POST=DISK)}
    found = await learned(answering(repeated), {"list_volumes": "/disks/"})
    assert found is not None
    bodies = {each.operation_id: each.body for each in found.document.operations}
    assert bodies["clone_volume"] is None
    assert bodies["create_volume"] is not None


async def test_a_method_that_may_mean_something_else_is_not_taken() -> None:
    places = {
        "/disks/": rest("GET"),
        f"/disks/{ID}/": rest("GET, PUT, PATCH"),
        f"/disks/{ID}/clone/": rest("GET"),
        f"/disks/{ID}/resize/": rest("POST, DELETE"),
    }
    found = operations(await learned(answering(places), {"list_volumes": "/disks/"}))
    assert found == {"get_volume": "GET /disks/{volume_id}/", "resize_volume": "POST /disks/{volume_id}/resize/"}


async def test_words_of_an_address_are_tried_with_dashes_and_with_underscores() -> None:
    places = {"/machines/": rest("GET"), f"/machines/{ID}/attach_volumes/": rest("POST")}
    found = operations(await learned(answering(places), {"list_instances": "/machines/"}))
    assert found == {"attach_volumes": "POST /machines/{instance_id}/attach_volumes/"}


async def test_no_address_of_a_real_thing_is_asked_and_what_is_known_is_not_looked_for() -> None:
    api = answering(DISKS)
    await learned(api, {"list_volumes": "/disks/", "get_volume": "/disks/{pk}/"})
    assert "/api/disks/" in api.addresses
    parts = {part for address in api.addresses for part in address.split("/")[3:] if re.search(r"\d", part)}
    assert parts <= {*DUMMIES, NOWHERE}


@pytest.mark.parametrize(
    ("said", "hindrance", "words", "most"),
    [
        (Says({"detail": "Invalid token."}, 401), Hindrance.KEY, "refuses the key", 8),
        (Says({"detail": "No."}, 403), Hindrance.KEY, "refuses the key", 8),
        (Says({"detail": "Slow."}, 429, {"retry-after": "9"}), Hindrance.THROTTLED, "in 9 s", 1),
        (Says(b"", 503), Hindrance.UNREACHABLE, "later", 1),
        (Says(b"", 500), Hindrance.UNREACHABLE, "trouble", 8),
        (Says(b"<html>", 403, {"content-type": "text/html"}), Hindrance.GATEWAY, "says nothing about the key", 1),
    ],
)
async def test_what_is_in_the_way_ends_the_asking_and_is_told(
    said: Says, hindrance: Hindrance, words: str, most: int
) -> None:
    api = Scripted(lambda _: said)
    found = await learned(api)
    assert found is not None
    assert (found.hindered, found.complete) == (hindrance, False)
    assert words in found.notes[-1]
    assert len(api.asked) <= most


async def test_what_was_learned_before_it_wants_fewer_requests_is_kept() -> None:
    count = 0

    def late() -> Says | None:
        nonlocal count
        count += 1
        return Says({"detail": "Slow."}, 429, {"retry-after": "60"}) if count > 45 else None

    api = answering(DISKS)
    inner = api._answers  # noqa: SLF001 - as above
    assert callable(inner)
    api._answers = lambda asked: late() or inner(asked)  # noqa: SLF001 - as above
    found = await learned(api, {"list_volumes": "/disks/"})
    assert found is not None
    assert operations(found)["get_volume"] == "GET /disks/{volume_id}/"
    assert (found.hindered, found.complete) == (Hindrance.THROTTLED, False)
    assert len(api.asked) <= 45 + 4


async def test_no_more_is_asked_than_is_left() -> None:
    api = answering(DISKS)
    found = await learned(api, {"list_volumes": "/disks/"}, most=12)
    assert found is not None
    assert (found.hindered, len(api.asked)) == (Hindrance.SPENT, 12)


async def test_where_everything_is_as_shipped_all_of_it_is_found_within_the_limit() -> None:
    methods: dict[str, set[str]] = {}
    for operation in BY_TOOL.values():
        methods.setdefault(operation.path, set()).add(operation.method)
    places = {
        re.sub(r"\{[^}]+\}", lambda _: ID, path): rest(", ".join(sorted(some)), path)
        for path, some in sorted(methods.items(), key=lambda each: "{" in each[0])
    }
    api = answering(places)
    assert set(operations(await learned(api))) == set(BY_TOOL)
    assert len(api.asked) <= 130
