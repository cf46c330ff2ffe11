"""Signs that a thing was made or is gone, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.dispatch.writes.looking.look import LOOKS_AT, look, note
from tests.looking.scripted import DOWN, GONE, ID, SENT_AT, Script, judged, vm

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("before", "after", "done", "words"),
    [
        (vm(), GONE, True, "is gone now"),
        (vm(), ApiError(Failure.REJECTED, "Gone", status=410), True, "is gone now"),
        (vm(), vm(status="DELETED"), True, "it is DELETED now"),
        (vm(), vm(), False, "it is still there"),
        (vm(status="DELETING"), GONE, False, "it was DELETING before the call"),
        (GONE, GONE, False, "not known"),
        ({}, GONE, False, "not known"),
        (vm(), ApiError(Failure.UNAUTHORISED, "No", status=403), False, "did not answer"),
    ],
)
async def test_a_deletion_shows_in_the_absence_of_what_was_there(
    before: Any, after: Any, *, done: bool, words: str
) -> None:
    looked = await judged("delete_instance", ID, get_instance=[before, after])
    assert (looked.outcome == "done") is done
    assert words in looked.sentence


def page(*ids: str, total: int | None = None, root: str = "scripts") -> JsonObject:
    rows = [{"id": at, "name": f"name-{at}"} for at in ids]
    return {root: rows, "total": len(ids) if total is None else total}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (page("1", "2", "3"), page("3"), None),
        (page("1", "2", "3"), page("2", "3"), "1 of 2 are still there"),
        (page("1", "3"), page("3"), "not all of them were seen before"),
        (page("1", "2"), page("3", total=900), "not all startup scripts could be read"),
        (page("1", "2"), {"scripts": None}, "not all startup scripts could be read"),
    ],
)
async def test_a_bulk_deletion_is_done_when_all_that_were_there_are_gone(
    before: Any, after: Any, words: str | None
) -> None:
    values = {"script_ids": ["1", "2"]}
    looked = await judged("bulk_delete_startup_scripts", values, list_startup_scripts=[before, after])
    assert (looked.outcome == "done") is (words is None)
    assert words is None or words in looked.sentence


NEW = {"name": "data-1", "region": "CANADA-1", "tier": "legacy", "size_gb": 100, "volume_type": "SSD"}


def volume(at: str, **facts: Any) -> JsonObject:
    return {"volume_id": at, "volume_name": "data-1", "region": "CANADA-1", "tier": "Legacy", "size_gb": 100, **facts}


def volumes(*rows: JsonObject, total: int | None = None) -> JsonObject:
    return {"volumes": list(rows), "total": len(rows) if total is None else total}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (volumes(), volumes(volume("1")), None),
        (volumes(volume("1")), volumes(volume("1"), volume("2")), None),
        (volumes(), volumes(volume("1", tier=None, region=None)), None),
        (volumes(volume("1")), volumes(volume("1")), "one of that name is there, but was before"),
        (volumes(), volumes(volume("1", volume_name="Data-1")), "nothing new of that name"),
        (volumes(), volumes(volume("1", size_gb=200)), "nothing new of that name"),
        (volumes(), volumes(volume("1", region="US-1")), "nothing new of that name"),
        (volumes(), volumes(volume("1"), volume("2")), "more than one new thing"),
        (volumes(), volumes({**volume("1"), "volume_id": None}), "nothing new of that name"),
        (volumes(), {"volumes": "unreadable"}, "nothing new of that name"),
    ],
)
async def test_a_purchase_is_a_thing_of_that_name_whose_id_is_new(before: Any, after: Any, words: str | None) -> None:
    looked = await judged("create_volume", NEW, list_volumes=[before, after])
    assert (looked.outcome == "done") is (words is None), looked.sentence
    assert words is None or words in looked.sentence
    assert looked.look_with.arguments == {"region": "CANADA-1", "tier": "legacy"}


SKEW = -50_000
"""Their clock is behind ours by so many seconds."""


@pytest.mark.parametrize(
    ("created", "stamp", "done"),
    [
        ("1970-01-01T00:16:40Z", SENT_AT + 2, True),
        ("1970-01-01T00:16:41", SENT_AT + 2, True),
        ("1970-01-01T00:16:30Z", SENT_AT + 2, False),
        # ours says that it was created long after sending, theirs says before
        ("1970-01-01T00:16:40Z", SENT_AT + 500, False),
        ("1970-01-01T00:30:00Z", SENT_AT + 2, False),
        ("1969-12-31T10:23:20Z", SENT_AT + 2 + SKEW, True),
        ("1969-12-31T10:23:10Z", SENT_AT + 2 + SKEW, False),
        ("yesterday", SENT_AT + 2, False),
        (None, SENT_AT + 2, False),
        ("1970-01-01T00:16:40Z", None, False),
        ("1970-01-01T00:16:40Z", DOWN, False),
    ],
)
async def test_where_not_all_were_read_before_it_also_has_to_be_young_by_the_apis_own_clock(
    created: str | None, stamp: Any, *, done: bool
) -> None:
    told = stamp if isinstance(stamp, ApiError) else {"pricing_data": {"metadata": {"timestamp": stamp and int(stamp)}}}
    looked = await judged(
        "create_volume",
        NEW,
        list_volumes=[volumes(total=900), volumes(volume("1", created_at=created))],
        get_pricing=told,
    )
    assert (looked.outcome == "done") is done, looked.sentence


async def test_a_long_list_is_read_at_both_ends() -> None:
    rows = [volume(str(number), volume_name=f"v-{number}") for number in range(900)]

    def paged(arguments: JsonObject) -> JsonObject:
        start = (arguments["page"] - 1) * arguments["limit"]
        return {"volumes": rows[start : start + arguments["limit"]], "total": len(rows)}

    script = Script({"list_volumes": paged, "get_pricing": {"pricing_data": {"metadata": {"timestamp": 1_002}}}})
    create = BY_TOOL["create_volume"]
    before = await note(create, NEW, read=script)
    assert before is not None
    assert not before.complete
    rows.append(volume("900", created_at="1970-01-01T00:16:41Z"))
    looked = await look(create, NEW, before=before, sent_at=SENT_AT, read=script, now=lambda: 1_002)
    assert looked.outcome == "done"
    assert [arguments["page"] for tool, arguments in script.reads if tool == "list_volumes"] == [1, 1, 7, 8, 9, 10]
    assert script.reads[0][1] == {"region": "CANADA-1", "tier": "legacy", "page": 1, "limit": 100}


async def test_a_list_that_tells_no_total_is_whole_when_nothing_follows_a_page_that_is_not_full() -> None:
    short: JsonObject = {"volumes": [volume("1", volume_name="other")]}
    none: JsonObject = {"volumes": []}
    looked = await judged("create_volume", NEW, list_volumes=[short, none, none, {"volumes": [volume("2")]}])
    assert looked.outcome == "done"
    full = {"volumes": [volume(str(number), volume_name="other") for number in range(20)]}
    looked = await judged("create_volume", NEW, list_volumes=[full, {"volumes": [volume("99")]}], get_pricing=DOWN)
    assert looked.outcome == "unknown"
    cut = {**short, "has_more": True}
    looked = await judged("create_volume", NEW, list_volumes=[cut, {"volumes": [volume("99")]}], get_pricing=DOWN)
    assert looked.outcome == "unknown"


async def test_a_script_of_that_name_with_another_text_is_somebody_elses() -> None:
    values = {"name": "a", "script": "x\n"}
    for text, outcome in (("x", "done"), (None, "done"), ("y", "unknown")):
        after = {"scripts": [{"id": "1", "name": "a", "script": text}], "total": 1}
        looked = await judged("create_startup_script", values, list_startup_scripts=[page(), after])
        assert looked.outcome == outcome


async def test_a_generated_key_that_was_made_has_lost_its_private_half_and_says_so() -> None:
    after = {"ssh_keys": [{"id": "KEY-1", "name": "laptop"}], "total": 1}
    answers = [page(root="ssh_keys"), after]
    looked = await judged("create_ssh_key", {"name": "laptop"}, list_ssh_keys=answers)
    assert looked.outcome == "done"
    assert "private half of the key was in the answer that did not come" in looked.sentence
    looked = await judged("create_ssh_key", {"name": "laptop", "public_key": "ssh-rsa A"}, list_ssh_keys=answers)
    assert "private half" not in looked.sentence


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"has_image": False}, {"has_image": True, "image": {"image_id": "I", "name": "base-1"}}, None),
        ({"image": None}, {"image": {"image_id": "I", "name": "base-1"}}, None),
        ({"has_image": False}, {"has_image": True, "image": {"image_id": "I", "name": "other"}}, "of another name"),
        ({"has_image": False}, {"has_image": True}, "no image yet"),
        ({"has_image": True}, {"image": {"image_id": "I", "name": "base-1"}}, "had an image before"),
        ({"snapshot_id": "S"}, {"image": {"image_id": "I", "name": "base-1"}}, "not known"),
        (GONE, {"image": {"image_id": "I", "name": "base-1"}}, "not known"),
    ],
)
async def test_an_image_is_made_when_the_snapshot_had_none(before: Any, after: Any, words: str | None) -> None:
    values = {"snapshot_id": "S", "name": "base-1"}
    looked = await judged("create_custom_image", values, get_snapshot_image=[before, after])
    assert (looked.outcome == "done") is (words is None), looked.sentence
    assert words is None or words in looked.sentence


def machines(*names: str, region: str = "US-1") -> JsonObject:
    rows = [{"instance_id": f"id-{name}", "vm_name": name, "region": region} for name in names]
    return {"instances": rows, "total": len(rows)}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (machines("a"), machines("a", "Nightly-restored"), None),
        (machines("a"), machines("a", "b"), "nothing ties it to this snapshot"),
        (machines("a"), machines("nightly-2", region="CANADA-1"), "nothing ties it to this snapshot"),
        (machines("a"), machines("a", "nightly-1", "nightly-2"), "more than one new thing"),
        (machines("nightly-restored"), machines("nightly-restored"), "nothing new"),
        ({**machines("a"), "total": 400}, machines("nightly-restored"), "no name was given"),
    ],
)
async def test_an_instance_restored_without_a_name_is_the_one_new_one_named_after_its_snapshot(
    before: Any, after: Any, words: str | None
) -> None:
    looked = await judged(
        "restore_snapshot",
        {"snapshot_id": "S"},
        list_instances=[before, after],
        get_snapshot={"snapshot": {"snapshot_name": "nightly", "region": "US-1"}},
    )
    assert (looked.outcome == "done") is (words is None), looked.sentence
    assert words is None or words in looked.sentence


async def test_an_instance_restored_under_a_name_is_found_by_it() -> None:
    values = {"snapshot_id": "S", "name": "b"}
    looked = await judged("restore_snapshot", values, list_instances=[machines("a"), machines("a", "b")])
    assert looked.outcome == "done"
    assert looked.result == {"data": {"instance_id": "id-b", "vm_name": "b", "region": "US-1"}}


async def test_no_more_than_five_pages_are_read_in_one_look() -> None:
    rows = [{"id": str(number), "name": f"n-{number}"} for number in range(2_000)]
    script = Script({"list_ssh_keys": lambda at: {"ssh_keys": rows[: at["limit"]], "total": len(rows)}})
    create = BY_TOOL["create_ssh_key"]
    before = await note(create, {"name": "x"}, read=script)
    script.reads.clear()

    async def sleep(_: float) -> None:
        return None

    await look(create, {"name": "x"}, before=before, sent_at=0, read=script, sleep=sleep)
    assert [arguments["page"] for _, arguments in script.reads] == [1, 17, 18, 19, 20] * len(LOOKS_AT)
