"""Snapshots, the machines restored from them, and images."""

from __future__ import annotations

import pytest

from tests.simulator.box import Box

pytestmark = pytest.mark.anyio


async def test_a_snapshot_is_complete_after_120_seconds_and_its_machine_goes_on_running() -> None:
    box = Box()
    path = f"/instances/{box.instance('train-1')}"
    made = await box.post(f"{path}/snapshots/", {"name": "now", "description": "before the upgrade"}, 201)
    snapshot = f"/snapshots/{made['data']['snapshot_id']}/"
    assert made["data"]["status"] == "creating"
    box.wait(119)
    assert (await box.get(snapshot))["snapshot"]["status"] == "creating"
    assert await box.status(box.instance("train-1")) == "ACTIVE"
    assert (await box.delete(snapshot, 409))["code"] == "SNAPSHOT_NOT_READY"
    assert (await box.post(f"{path}/snapshots/", {"name": "too"}, 409))["code"] == "SNAPSHOT_IN_PROGRESS"
    box.wait(1)
    assert (await box.get(snapshot))["snapshot"]["status"] == "SUCCESS"
    assert (await box.post(f"{path}/snapshots/", {"name": "now"}, 409))["code"] == "SNAPSHOT_NAME_EXISTS"


@pytest.mark.parametrize(
    ("machine", "status", "code"),
    [("infer-1", 400, "TIER_NOT_SUPPORTED"), ("notebook-1", 409, "INVALID_INSTANCE_STATE")],
)
async def test_snapshots_are_of_active_legacy_machines_only(machine: str, status: int, code: str) -> None:
    box = Box()
    answer = await box.post(f"/instances/{box.instance(machine)}/snapshots/", {"name": "s"}, status)
    assert answer["code"] == code


async def test_restoring_makes_a_new_machine_in_the_same_region_named_after_the_snapshot() -> None:
    box = Box()
    path = f"/snapshots/{box.id('snapshots', 'train-base')}/restore/"
    data = (await box.post(path, status=201))["data"]
    assert (data["name"], data["region"], data["status"]) == ("train-base-restored", "CANADA-1", "CREATING")
    assert (await box.post(path, status=409))["code"] == "INSTANCE_NAME_EXISTS"
    assert (await box.post(path, {"name": "chosen"}, 201))["data"]["name"] == "chosen"
    assert list(await box.post(path, {"name": ""}, 400)) == ["name"]


async def test_the_name_of_a_machine_restored_from_a_long_named_snapshot_still_fits() -> None:
    box = Box()
    snapshot_id = box.id("snapshots", "train-base")
    box.barrack.world("sim-key").snapshots[snapshot_id].name = "x" * 50
    assert (await box.post(f"/snapshots/{snapshot_id}/restore/", status=201))["data"]["name"] == "x" * 41 + "-restored"


async def test_deleting_a_snapshot_keeps_its_image() -> None:
    box = Box()
    snapshot_id = box.id("snapshots", "train-base")
    await box.delete(f"/snapshots/{snapshot_id}/")
    await box.get(f"/snapshots/{snapshot_id}/", 404)
    assert (await box.get("/images/"))["images"][0]["name"] == "train-base-v1"


async def test_an_image_is_creating_then_available_after_90_seconds() -> None:
    box = Box()
    path = f"/snapshots/{box.id('snapshots', 'train-2-before-upgrade')}"
    image = (await box.post(f"{path}/image/", {"name": "abc"}, 201))["image"]
    where = f"/images/{image['image_id']}/"
    assert image["status"] == "creating"
    assert (await box.delete(where, 409))["code"] == "IMAGE_NOT_AVAILABLE"
    box.wait(90)
    assert (await box.get(where))["image"]["status"] == "available"
    assert (await box.get(f"{path}/image-relationship/"))["image"] == {
        "id": image["image_id"],
        "name": "abc",
        "status": "available",
    }
    await box.delete(where)
    assert (await box.get(f"{path}/image-relationship/"))["has_image"] is False


async def test_a_second_image_of_the_same_snapshot_is_refused_and_names_the_first() -> None:
    box = Box()
    answer = await box.post(f"/snapshots/{box.id('snapshots', 'train-base')}/image/", {"name": "second"}, 409)
    assert answer["message"] == "An image already exists for this snapshot: train-base-v1"


@pytest.mark.parametrize("name", ["", "ab", "x" * 31, "a/b", "naïve"])
async def test_an_image_name_that_does_not_fit_is_invalid(name: str) -> None:
    box = Box()
    path = f"/snapshots/{box.id('snapshots', 'train-2-before-upgrade')}/image/"
    assert (await box.post(path, {"name": name}, 400))["message"] == "Invalid image name"
    assert list(await box.post(path, {}, 400)) == ["name"]


async def test_an_image_name_is_taken_once() -> None:
    box = Box()
    path = f"/snapshots/{box.id('snapshots', 'train-2-before-upgrade')}/image/"
    assert (await box.post(path, {"name": "train-base-v1"}, 409))["message"] == "Image name already exists"


async def test_an_image_needs_a_snapshot_that_is_there_and_complete() -> None:
    box, none = Box(), Box(key="sim-key-poor")
    body = {"name": "abc"}
    assert (await box.post("/snapshots/BRK-0S/image/", body, 404))["message"] == "Snapshot not found"
    assert (await none.post("/snapshots/BRK-0S/image/", body, 404))["message"] == "No snapshots available"
    path = f"/instances/{box.instance('train-1')}/snapshots/"
    snapshot_id = (await box.post(path, {"name": "now"}, 201))["data"]["snapshot_id"]
    assert (await box.post(f"/snapshots/{snapshot_id}/image/", body, 409))["code"] == "SNAPSHOT_NOT_READY"


async def test_an_image_needs_a_complete_profile() -> None:
    answer = await Box(key="sim-key-new").post("/snapshots/BRK-0S/image/", {"name": "abc"}, 400)
    assert answer["message"] == "Profile incomplete"


async def test_relationships_come_for_several_snapshots_at_once() -> None:
    box = Box()
    ids = [box.id("snapshots", name) for name in ("train-base", "train-2-before-upgrade")]
    answer = await box.post("/snapshots/image-relationships/", {"snapshot_ids": [*ids, ids[0], "BRK-0S"]})
    assert [(each["snapshot_id"], each["has_image"]) for each in answer["relationships"]] == [
        (ids[0], True),
        (ids[1], False),
    ]
