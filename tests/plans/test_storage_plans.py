"""What a person is told before volumes, snapshots and images go."""

from __future__ import annotations

from typing import Any

import pytest

from barrack_mcp.catalogue import JsonObject
from tests.plans.asking import room, words

pytestmark = pytest.mark.anyio


async def test_deleting_a_volume_says_its_size_and_what_nobody_can_know() -> None:
    async with room() as asked:
        planned = await asked.plan("delete_volume")
        assert planned.must_type == "checkpoints"
        assert "all data on it (200 GB)" in planned.plan.lost
        assert "When it was last used is not told by Barrack." in planned.plan.warnings
        assert "Whether clones of it exist is not told by Barrack." in planned.plan.warnings
        assert planned.plan.cost is not None
        assert (planned.plan.cost.hourly_now, planned.plan.cost.hourly_after) == (0.02, 0)
        assert planned.plan.cost.spent_so_far


async def test_a_volumes_last_use_is_told_where_the_api_tells_it() -> None:
    def used(answer: JsonObject) -> None:
        answer["volume"] |= {"last_used_at": "2026-01-02T00:00:00Z", "bootable": True}

    async with room(bent={"get_volume": used}) as asked:
        planned = await asked.plan("delete_volume")
        assert planned.plan.target["last_use"] == "2 Jan 2026 00:00 UTC"
        assert not any("last used is not told" in warning for warning in planned.plan.warnings)
        assert planned.plan.warnings[0].startswith("It is bootable")


async def test_an_attached_volume_is_to_be_detached_first_and_its_instance_is_protected_too() -> None:
    async with room() as asked:
        datasets = asked.thing("volumes", volume_name="datasets")
        planned = await asked.plan("delete_volume", volume_id=datasets["volume_id"])
        assert "is attached to instance «train-1»" in str(planned.refusal)
        assert "train-1" in planned.protected_by
        (safer,) = planned.plan.safer
        assert safer.tool == "detach_volumes"
        assert safer.arguments == {"instance_id": datasets["instance_id"], "volume_ids": [datasets["volume_id"]]}


async def test_a_volume_attached_meanwhile_is_another_question() -> None:
    async with room() as asked:
        before = await asked.plan("delete_volume")
        volume_id = asked.thing("volumes", volume_name="checkpoints")["volume_id"]
        instance_id = asked.thing("instances", vm_name="train-2")["instance_id"]
        await asked.do("attach_volumes", instance_id=instance_id, volume_ids=[volume_id])
        assert (await asked.plan("delete_volume", volume_id=volume_id)).fingerprint != before.fingerprint


async def test_an_attachment_is_read_from_a_list_and_its_bad_id_makes_no_offer() -> None:
    def listed(answer: JsonObject) -> None:
        answer["volume"] |= {"instance_id": None, "attachment": [None, {"instance_id": "../x", "vm_name": "odd"}]}

    async with room(bent={"get_volume": listed}) as asked:
        planned = await asked.plan("delete_volume")
        assert "«odd»" in str(planned.refusal)
        assert planned.plan.safer == []


async def test_detaching_says_which_data_goes_offline() -> None:
    async with room() as asked:
        planned = await asked.plan("detach_volumes")
        assert "the data goes offline at once" in words(planned)
        assert "access of the instance to volume «datasets»" in " ".join(planned.plan.lost)
        assert {"train-1", "datasets"} <= set(planned.protected_by)
        assert planned.refusal is None


async def test_detaching_the_boot_volume_is_said_to_be_that() -> None:
    def boots(answer: JsonObject) -> None:
        answer["instance"]["volume_attachments"][0]["bootable"] = True

    async with room(bent={"get_instance": boots}) as asked:
        assert "The instance boots from «datasets»" in words(await asked.plan("detach_volumes"))


@pytest.mark.parametrize(
    ("volume", "why"),
    [("models", "attached to another instance"), ("checkpoints", "is not attached to this instance")],
)
async def test_a_volume_that_is_not_there_is_not_detached(volume: str, why: str) -> None:
    async with room() as asked:
        other = asked.thing("volumes", volume_name=volume)["volume_id"]
        assert why in str((await asked.plan("detach_volumes", volume_ids=[other])).refusal)


async def test_an_unknown_volume_is_not_detached_but_an_unreadable_one_may_be() -> None:
    async with room() as asked:
        ids = ["BRK-999999V"]
        assert "knows no volume" in str((await asked.plan("detach_volumes", volume_ids=ids)).refusal)
        asked.failing = frozenset({"get_volume"})
        planned = await asked.plan("detach_volumes", volume_ids=ids)
        assert planned.refusal is None
        assert "Could not be read: volume BRK-999999V." in planned.plan.warnings


async def test_deleting_a_snapshot_names_its_image_and_where_it_comes_from() -> None:
    async with room() as asked:
        golden = asked.thing("snapshots", snapshot_name="train-base")["snapshot_id"]
        planned = await asked.plan("delete_snapshot", snapshot_id=golden)
        assert "custom images made from it: «train-base-v1»" in words(planned)
        assert "the instance it was taken of: «train-1»" in words(planned)
        assert planned.plan.safer == []
        assert planned.plan.cost is not None
        assert planned.plan.cost.hourly_now == 0.1
        without = await asked.plan("delete_snapshot")
        assert [safer.tool for safer in without.plan.safer] == ["create_custom_image"]


async def test_the_last_copy_of_a_disk_is_said_to_be_that() -> None:
    async with room() as asked:
        origin = asked.thing("instances", vm_name="train-2")["instance_id"]
        await asked.do("delete_instance", instance_id=origin)
        asked.barrack.clock.advance(60)
        assert "the last copy of that disk" in words(await asked.plan("delete_snapshot"))
    async with room(failing=frozenset({"list_instances"})) as asked:
        # whether the instance is gone can't be told
        said = words(await asked.plan("delete_snapshot"))
        assert "not all instances were seen, so its own may be gone" in said
        assert "is gone" not in said


@pytest.mark.parametrize("field", ["instance_id", "id"])
async def test_what_does_not_say_what_it_was_made_from_is_said_to_be_perhaps_the_last_copy(field: str) -> None:
    def untold(answer: JsonObject) -> None:
        (thing,) = [value for value in answer.values() if isinstance(value, dict)]
        thing["snapshot_id" if "name" in thing else "instance_id"] = None

    def renamed(answer: JsonObject) -> None:
        for row in answer["instances"]:
            row[field] = row.pop("instance_id")

    bent = {"get_snapshot": untold, "get_custom_image": untold, "list_instances": renamed}
    async with room(bent=bent) as asked:
        snapshot = await asked.plan("delete_snapshot")
        assert "of which instance it was taken is not told by Barrack" in words(snapshot)
        assert not any("the instance it was taken of" in kept for kept in snapshot.plan.kept)
        image = words(await asked.plan("delete_custom_image"))
        assert "of which snapshot it was made is not told by Barrack" in image
        assert "gone" not in image


async def test_an_image_that_barrack_has_and_does_not_name_is_kept_and_no_second_one_is_offered() -> None:
    bent = {"get_snapshot_image": lambda answer: answer.update(has_image=True, image=None)}
    async with room(bent=bent) as asked:
        planned = await asked.plan("delete_snapshot")
        assert "the custom image made from it, which Barrack does not name" in planned.plan.kept
        assert planned.plan.safer == []


async def test_that_no_instance_was_made_from_an_image_is_said_only_where_instances_say_what_they_boot() -> None:
    def untold(answer: JsonObject) -> None:
        for row in answer["instances"]:
            row["image"] = None

    async with room() as asked:
        assert "No instance shows this image" in words(await asked.plan("delete_custom_image"))
        asked.bent = {"list_instances": untold}
        said = words(await asked.plan("delete_custom_image"))
        assert "Which instances were made from it is not told by Barrack." in said
        assert "No instance shows" not in said


async def test_instances_made_from_a_snapshots_image_are_named() -> None:
    def made(answer: JsonObject) -> None:
        answer["instances"][0]["image"] = {"name": "train-base-v1"}

    async with room(bent={"list_instances": made}) as asked:
        golden = asked.thing("snapshots", snapshot_name="train-base")["snapshot_id"]
        planned = await asked.plan("delete_snapshot", snapshot_id=golden)
        assert "instances made from it: 1 («archive-1»" in words(planned)
        image = await asked.plan("delete_custom_image")
        assert "instances made from it: 1 («archive-1»" in words(image)


@pytest.mark.parametrize("held", [{"instance_id": "BRK-1D"}, [{"instance_id": "BRK-1D"}]])
async def test_a_volume_is_another_question_once_an_instance_has_it_in_whichever_field_that_is_told(held: Any) -> None:
    async with room() as asked:
        free = await asked.plan("delete_volume")
        asked.bent = {"get_volume": lambda answer: answer["volume"].update(attachment=held)}
        assert (await asked.plan("delete_volume")).fingerprint != free.fingerprint


async def test_an_image_whose_snapshot_is_gone_is_said_to_be_the_last_copy() -> None:
    async with room() as asked:
        golden = asked.thing("snapshots", snapshot_name="train-base")["snapshot_id"]
        assert "can be made anew" in words(await asked.plan("delete_custom_image"))
        await asked.do("delete_snapshot", snapshot_id=golden)
        assert "the last copy: its snapshot is gone" in words(await asked.plan("delete_custom_image"))


@pytest.mark.parametrize("unreadable", [(), ("get_snapshot_image",), ("list_custom_images",)])
async def test_a_second_image_of_a_snapshot_is_refused_and_names_the_first(unreadable: tuple[str, ...]) -> None:
    async with room(failing=frozenset(unreadable)) as asked:
        golden = asked.thing("snapshots", snapshot_name="train-base")["snapshot_id"]
        image_id = asked.thing("images", name="train-base-v1")["image_id"]
        planned = await asked.plan("create_custom_image", snapshot_id=golden)
        assert f"already has the image «train-base-v1» ({image_id})" in str(planned.refusal)
        assert "Nothing was sent" in str(planned.refusal)
        assert planned.plan.safer[0].arguments == {"image_id": image_id}


async def test_a_taken_snapshot_whose_image_is_not_named_is_refused_all_the_same() -> None:
    def unnamed(answer: JsonObject) -> None:
        answer |= {"has_image": True, "image": None}

    async with room(bent={"get_snapshot_image": unnamed}) as asked:
        planned = await asked.plan("create_custom_image")
        assert "already has an image" in str(planned.refusal)
        assert planned.plan.safer[0].tool == "get_snapshot_image"


async def test_an_image_name_that_is_taken_and_a_snapshot_in_the_making_are_warned_of() -> None:
    def making(answer: JsonObject) -> None:
        answer["snapshot"]["status"] = "creating"

    async with room(bent={"get_snapshot": making}) as asked:
        said = words(await asked.plan("create_custom_image", name="train-base-v1"))
        assert "has this name already" in said
        assert "an image needs a complete one" in said
        assert "restoring needs a complete one" in words(await asked.plan("restore_snapshot"))
