"""Disks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.box import Box, Json

pytestmark = pytest.mark.anyio

WISH: Json = {"name": "v", "size_gb": 100, "region": "CANADA-1", "tier": "legacy", "volume_type": "SSD"}


async def test_a_volume_is_available_after_20_seconds() -> None:
    box = Box()
    volume_id = (await box.post("/volumes/", WISH, 201))["volume"]["volume_id"]
    seen = []
    for seconds in (0, 19, 1):
        box.wait(seconds)
        seen.append((await box.get(f"/volumes/{volume_id}/"))["volume"]["status"])
    assert seen == ["creating", "creating", "available"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size_gb", 99),
        ("size_gb", 1_048_577),
        ("size_gb", "100"),
        ("size_gb", 100.5),
        ("volume_type", "TAPE"),
        ("region", None),
        ("bootable", 1),
        ("name", "x" * 51),
    ],
)
async def test_a_field_of_a_volume_that_does_not_fit_is_told(field: str, value: Any) -> None:
    assert list(await Box().post("/volumes/", WISH | {field: value}, 400)) == [field]


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"volume_type": "NVMe"}, 400, "VOLUME_TYPE_NOT_IN_TIER"),
        ({"tier": "advanced", "volume_type": "HDD"}, 400, "REGION_NOT_IN_TIER"),
        ({"name": "datasets"}, 409, "VOLUME_NAME_EXISTS"),
        ({"bootable": True, "os_image": "Windows"}, 404, "OS_IMAGE_NOT_FOUND"),
    ],
)
async def test_a_volume_that_a_rule_forbids_is_refused(more: Json, status: int, code: str) -> None:
    assert (await Box().post("/volumes/", WISH | more, status))["code"] == code


async def test_a_bootable_volume_needs_an_os_image() -> None:
    assert list(await Box().post("/volumes/", WISH | {"bootable": True}, 400)) == ["os_image"]


async def test_a_volume_needs_a_complete_profile_and_a_little_credit() -> None:
    new, poor = Box(key="sim-key-new"), Box(key="sim-key-poor")
    assert (await new.post("/volumes/", WISH, 400))["message"] == "Profile incomplete"
    assert (await poor.post("/volumes/", WISH, 402))["required"] == 1


async def test_the_next_name_is_the_first_free_number() -> None:
    box = Box()
    assert (await box.get("/volumes/"))["next_name"] == "volume1"
    await box.post("/volumes/", WISH | {"name": "volume1"}, 201)
    assert (await box.get("/volumes/"))["next_name"] == "volume2"


async def test_attaching_takes_10_seconds_and_detaching_keeps_the_volume() -> None:
    box = Box()
    instance_id, volume_id = box.instance("train-1"), box.id("volumes", "checkpoints")
    answer = await box.post(f"/instances/{instance_id}/attach-volumes/", {"volume_ids": [volume_id]})
    assert (answer["instance_id"], answer["volume_ids"], answer["tier"]) == (instance_id, [volume_id], "legacy")
    volume = (await box.get(f"/volumes/{volume_id}/"))["volume"]
    assert (volume["status"], volume["attachment"]["status"]) == ("in-use", "ATTACHING")
    box.wait(10)
    assert (await box.get(f"/volumes/{volume_id}/"))["volume"]["attachment"]["status"] == "SUCCESS"
    await box.post(f"/instances/{instance_id}/detach-volumes/", {"volume_ids": [volume_id]})
    assert (await box.get(f"/volumes/{volume_id}/"))["volume"]["status"] == "available"


async def test_a_volume_detached_while_attaching_stays_free() -> None:
    box = Box()
    path, body = f"/instances/{box.instance('train-1')}", {"volume_ids": [box.id("volumes", "checkpoints")]}
    await box.post(f"{path}/attach-volumes/", body)
    await box.post(f"{path}/detach-volumes/", body)
    box.wait(10)
    assert (await box.get(f"/volumes/{body['volume_ids'][0]}/"))["volume"]["attachment"] is None


@pytest.mark.parametrize(
    ("machine", "volume", "status", "code"),
    [
        ("notebook-1", "checkpoints", 409, "INVALID_INSTANCE_STATE"),
        ("train-1", "cold-store", 400, "REGION_MISMATCH"),
        ("train-2", "datasets", 409, "VOLUME_ATTACHED"),
    ],
)
async def test_an_attachment_that_a_rule_forbids_is_refused(machine: str, volume: str, status: int, code: str) -> None:
    box = Box()
    body = {"volume_ids": [box.id("volumes", "checkpoints"), box.id("volumes", volume)]}
    assert (await box.post(f"/instances/{box.instance(machine)}/attach-volumes/", body, status))["code"] == code
    assert (await box.get(f"/volumes/{box.id('volumes', 'checkpoints')}/"))["volume"]["status"] == "available"


async def test_a_volume_of_another_tier_or_still_creating_can_not_be_attached() -> None:
    box = Box()
    path = f"/instances/{box.instance('train-1')}/attach-volumes/"
    fresh = (await box.post("/volumes/", WISH, 201))["volume"]["volume_id"]
    assert (await box.post(path, {"volume_ids": [fresh]}, 409))["code"] == "VOLUME_NOT_AVAILABLE"
    assert (await box.delete(f"/volumes/{fresh}/", 409))["code"] == "VOLUME_NOT_AVAILABLE"
    box.wait(20)
    box.barrack.world("sim-key").volumes[fresh].tier = "advanced"
    assert (await box.post(path, {"volume_ids": [fresh]}, 400))["code"] == "TIER_MISMATCH"


async def test_only_what_is_attached_to_the_machine_can_be_detached_from_it() -> None:
    box = Box()
    body = {"volume_ids": [box.id("volumes", "datasets")]}
    answer = await box.post(f"/instances/{box.instance('train-2')}/detach-volumes/", body, 409)
    assert answer["code"] == "VOLUME_NOT_ATTACHED"


async def test_an_attached_volume_can_not_be_deleted_and_a_free_one_is_gone() -> None:
    box = Box()
    assert (await box.delete(f"/volumes/{box.id('volumes', 'datasets')}/", 409))["code"] == "VOLUME_ATTACHED"
    free = box.id("volumes", "checkpoints")
    await box.delete(f"/volumes/{free}/")
    await box.get(f"/volumes/{free}/", 404)


async def test_a_clone_has_its_originals_size_and_perhaps_the_tiers_other_type() -> None:
    box = Box()
    path = f"/volumes/{box.id('volumes', 'models')}/clone/"
    copy = (await box.post(path, {"name": "copy", "volume_type": "HDD"}, 201))["volume"]
    assert (copy["size_gb"], copy["volume_type"], copy["region"]) == (300, "HDD", "FIN-01")
    assert (await box.post(path, {"name": "copy"}, 409))["code"] == "VOLUME_NAME_EXISTS"
    assert (await box.post(path, {"name": "other", "volume_type": "SSD"}, 400))["code"] == "VOLUME_TYPE_NOT_IN_TIER"
    again = f"/volumes/{copy['volume_id']}"
    assert (await box.post(f"{again}/clone/", {"name": "c2"}, 409))["code"] == "VOLUME_NOT_AVAILABLE"
    assert (await box.post(f"{again}/resize/", {"size_gb": 400}, 409))["code"] == "VOLUME_NOT_AVAILABLE"


@pytest.mark.parametrize(("verb", "body"), [("clone", {"name": "copy"}), ("resize", {"size_gb": 900})])
async def test_legacy_volumes_are_neither_cloned_nor_resized(verb: str, body: Json) -> None:
    box = Box()
    answer = await box.post(f"/volumes/{box.id('volumes', 'datasets')}/{verb}/", body, 400)
    assert answer["code"] == "TIER_NOT_SUPPORTED"


@pytest.mark.parametrize("size", [100, 300])
async def test_a_volume_only_grows(size: int) -> None:
    box = Box()
    answer = await box.post(f"/volumes/{box.id('volumes', 'models')}/resize/", {"size_gb": size}, 400)
    assert answer["code"] == "VOLUME_CANNOT_SHRINK"
    assert "300 GB" in answer["message"]
