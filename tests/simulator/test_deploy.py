"""New machines: what a deployment must say, and what stands in its way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.box import SSH, Box, Json

pytestmark = pytest.mark.anyio


async def test_a_deployment_is_creating_then_building_then_active_after_180_seconds() -> None:
    box = Box()
    made = await box.deploy(security_rules=[SSH], jupyter_password="longenough", cloud_init="#cloud-config")
    assert set(made["data"]) >= {"instance_id", "name", "status"}
    instance_id = made["data"]["instance_id"]
    seen = [await box.status(instance_id)]
    for seconds in (60, 119, 1):
        box.wait(seconds)
        seen.append(await box.status(instance_id))
    assert seen == ["CREATING", "BUILD", "BUILD", "ACTIVE"]
    instance = (await box.get(f"/instances/{instance_id}/"))["instance"]
    assert instance["vm_name"] == "new-1"
    assert instance["public_ip"]
    assert instance["ip_status"] == "ATTACHED"
    assert instance["features"]["jupyter"]
    assert instance["security_rules"][0]["port_range_min"] == 22


async def test_without_a_public_ip_a_machine_has_none() -> None:
    box = Box()
    made = await box.deploy(public_ip=False)
    box.wait(180)
    instance = (await box.get(f"/instances/{made['data']['instance_id']}/"))["instance"]
    assert (instance["public_ip"], instance["ip_status"]) == (None, "DETACHED")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ...),
        ("name", None),
        ("name", ""),
        ("name", "x" * 51),
        ("name", "a/b"),
        ("name", 7),
        ("tier", "Legacy"),
        ("region", "MOON-1"),
        ("gpu_model", "RTX-9999"),
        ("gpu_count", 3),
        ("gpu_count", True),
        ("gpu_count", []),
        ("boot_source", "usb"),
        ("os_image", ...),
        ("os_volume", {"name": "os", "size_gb": 99}),
        ("os_volume", "big"),
        ("ssh_key_ids", ...),
        ("ssh_key_ids", []),
        ("ssh_key_ids", "KEY-1"),
        ("ssh_key_ids", ["../x"]),
        ("public_ip", "yes"),
        ("security_rules", {}),
        ("security_rules", [SSH | {"direction": "up"}]),
        ("security_rules", [SSH | {"port_range_max": 21}]),
        ("cloud_init", "é" * 8193),
        ("jupyter_password", "short"),
    ],
)
async def test_a_field_that_does_not_fit_is_told_by_its_name(field: str, value: Any) -> None:
    box = Box()
    answer = await box.deploy(400, **{field: value})
    assert list(answer) == [field]
    assert box.effects() == []


async def test_cloud_init_may_have_16_kilobytes() -> None:
    await Box().deploy(cloud_init="é" * 8192)


@pytest.mark.parametrize("source", ["volume", "custom_image"])
async def test_each_boot_source_needs_its_own_id(source: str) -> None:
    answer = await Box().deploy(400, boot_source=source)
    assert list(answer) == [{"volume": "volume_id", "custom_image": "image_id"}[source]]


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"gpu_model": "H100-SXM5-80GB"}, 400, "GPU_MODEL_NOT_IN_TIER"),
        ({"region": "FIN-01"}, 400, "REGION_NOT_IN_TIER"),
        ({"gpu_count": 8}, 400, "GPU_COUNT_NOT_OFFERED"),
        ({"name": "train-1"}, 409, "INSTANCE_NAME_EXISTS"),
        ({"ssh_key_ids": ["KEY-000000"]}, 404, "SSH_KEY_NOT_FOUND"),
        ({"startup_script_id": "SCR-000000"}, 404, "SCRIPT_NOT_FOUND"),
        ({"os_image": "Windows"}, 404, "OS_IMAGE_NOT_FOUND"),
        ({"boot_source": "volume", "volume_id": "BRK-000000V"}, 404, "VOLUME_NOT_FOUND"),
        ({"boot_source": "custom_image", "image_id": "BRK-000000I"}, 404, "IMAGE_NOT_FOUND"),
        ({"os_volume": {"name": "datasets", "size_gb": 100}}, 409, "VOLUME_NAME_EXISTS"),
    ],
)
async def test_a_deployment_that_a_rule_forbids_is_refused_with_its_code(wish: Json, status: int, code: str) -> None:
    box = Box()
    assert (await box.deploy(status, **wish))["code"] == code
    assert box.effects() == []


async def test_stock_runs_out_and_comes_back_when_machines_go() -> None:
    box = Box(scenario="small")
    box.barrack.world("sim-key").balance *= 100
    first = await box.deploy(region="NORWAY-1", gpu_model="A40", gpu_count=4)
    await box.deploy(region="NORWAY-1", gpu_model="A40", gpu_count=2, name="new-2")
    answer = await box.deploy(409, region="NORWAY-1", gpu_model="A40", gpu_count=4, name="new-3")
    assert (answer["code"], answer["available"]) == ("OUT_OF_STOCK", 2)
    assert "2 x A40" in answer["message"]
    box.wait(180)
    await box.delete(f"/instances/{first['data']['instance_id']}/delete/")
    box.wait(20)
    await box.deploy(region="NORWAY-1", gpu_model="A40", gpu_count=4, name="new-3")


async def test_the_stock_listed_is_what_is_left() -> None:
    box = Box()

    async def left() -> Json:
        stock: Json = (await box.get("/gpu-stocks/", gpu_model="A40", region="NORWAY-1"))["stocks"][0]
        return stock

    assert (await left())["available"] == 8
    await box.deploy(region="NORWAY-1", gpu_model="A40", gpu_count=2)
    after = await left()
    assert after["available"] == 6
    assert after["configurations"] == [
        {"gpu_count": 1, "available": 6},
        {"gpu_count": 2, "available": 3},
        {"gpu_count": 4, "available": 1},
    ]


async def test_credits_below_the_first_hour_are_not_enough() -> None:
    answer = await Box(key="sim-key-poor").deploy(402)
    assert answer["message"] == "Insufficient credits"
    assert (answer["balance"], answer["required"], answer["currency"]) == (0.5, 0.69, "USD")


async def test_an_incomplete_profile_can_not_deploy() -> None:
    answer = await Box(key="sim-key-new").deploy(400)
    assert (answer["message"], answer["code"]) == ("Profile incomplete", "PROFILE_INCOMPLETE")


async def test_a_machine_boots_from_a_bootable_volume_which_outlives_it() -> None:
    box = Box()
    wish = {"name": "boot", "size_gb": 100, "region": "CANADA-1", "tier": "legacy", "volume_type": "SSD"}
    made = await box.post("/volumes/", wish | {"bootable": True, "os_image": "Debian 12"}, 201)
    volume_id = made["volume"]["volume_id"]
    boot = {"boot_source": "volume", "volume_id": volume_id, "os_image": ...}
    assert (await box.deploy(409, **boot))["code"] == "VOLUME_NOT_AVAILABLE"
    box.wait(20)
    instance_id = (await box.deploy(**boot))["data"]["instance_id"]
    box.wait(180)
    detach = await box.post(f"/instances/{instance_id}/detach-volumes/", {"volume_ids": [volume_id]}, 409)
    assert detach["code"] == "BOOT_VOLUME"
    assert (await box.post(f"/instances/{instance_id}/snapshots/", {"name": "s"}, 400))["code"] == "BOOT_VOLUME"
    instance = (await box.get(f"/instances/{instance_id}/"))["instance"]
    assert instance["volume_attachments"][0]["bootable"]
    assert instance["image"]["name"] == "Debian 12"
    await box.delete(f"/instances/{instance_id}/delete/")
    box.wait(20)
    assert (await box.get(f"/volumes/{volume_id}/"))["volume"]["status"] == "available"


async def test_the_os_volume_of_a_deployment_goes_with_its_machine() -> None:
    box = Box()
    wish: Json = {"tier": "advanced", "region": "FIN-01", "gpu_model": "H100-SXM5-80GB"}
    made = await box.deploy(**wish, os_volume={"name": "os-1", "size_gb": 200})
    volume_id = box.id("volumes", "os-1")
    volume = (await box.get(f"/volumes/{volume_id}/"))["volume"]
    assert (volume["volume_type"], volume["status"], volume["attachment"]["boot"]) == ("NVMe", "in-use", True)
    box.wait(180)
    await box.delete(f"/instances/{made['data']['instance_id']}/delete/")
    box.wait(20)
    await box.get(f"/volumes/{volume_id}/", 404)
    record = (await box.get("/volumes/billing/", volume_id=volume_id))["records"][0]
    assert (record["status"], record["tier"]) == ("deleted", "Advanced")


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"boot_source": "volume", "volume_id": "checkpoints"}, "VOLUME_NOT_BOOTABLE"),
        ({"boot_source": "volume", "volume_id": "checkpoints", "region": "US-1"}, "REGION_MISMATCH"),
        ({"boot_source": "custom_image", "image_id": "train-base-v1", "region": "US-1"}, "REGION_MISMATCH"),
    ],
)
async def test_a_boot_source_elsewhere_or_unfit_is_refused(wish: Json, code: str) -> None:
    box = Box()
    for field, kind in (("volume_id", "volumes"), ("image_id", "images")):
        if field in wish:
            wish = wish | {field: box.id(kind, wish[field])}
    assert (await box.deploy(400, **wish))["code"] == code


async def test_a_machine_boots_from_a_custom_image_once_it_is_available() -> None:
    box = Box()
    snapshot_id = box.id("snapshots", "train-2-before-upgrade")
    image_id = (await box.post(f"/snapshots/{snapshot_id}/image/", {"name": "img"}, 201))["image"]["image_id"]
    boot = {"boot_source": "custom_image", "image_id": image_id}
    assert (await box.deploy(409, **boot))["code"] == "IMAGE_NOT_AVAILABLE"
    box.wait(90)
    made = await box.deploy(**boot)
    instance = (await box.get(f"/instances/{made['data']['instance_id']}/"))["instance"]
    assert instance["image"]["name"] == "img"


@pytest.mark.parametrize("gpu_model", ["A40", "L40"])
async def test_an_application_image_fits_some_gpus_only(gpu_model: str) -> None:
    box = Box()
    answer = await box.deploy(400, os_image="Barrack Qwen 3-32B", gpu_model=gpu_model)
    assert answer["code"] == "IMAGE_NOT_AVAILABLE_FOR_GPU"
    assert answer["message"].startswith(f"The image Barrack Qwen 3-32B is not available for {gpu_model}: choose H100-")
    assert box.effects() == []


async def test_with_an_application_image_a_public_ip_always_comes_and_stays() -> None:
    box = Box()
    made = await box.deploy(os_image="Barrack ComfyUI - WAN T2V 14B", public_ip=False)
    path = f"/instances/{made['data']['instance_id']}"
    box.wait(180)
    instance = (await box.get(f"{path}/"))["instance"]
    assert instance["ip_status"] == "ATTACHED"
    assert instance["operations"]["toggle_public_ip"] is False
    assert (await box.post(f"{path}/toggle-public-ip/", status=400))["code"] == "PUBLIC_IP_REQUIRED"
    assert (await box.get(f"{path}/"))["instance"]["public_ip"] == instance["public_ip"]


async def test_the_default_user_is_the_images() -> None:
    box = Box()
    for image, user in (("Debian 12", "debian"), ("Ubuntu 24.04 LTS", "ubuntu")):
        made = await box.deploy(os_image=image, name=f"for-{user}")
        instance = (await box.get(f"/instances/{made['data']['instance_id']}/"))["instance"]
        assert instance["image"]["default_user"] == user
