"""SSH keys and startup scripts."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_public_key

from tests.simulator.box import Box

pytestmark = pytest.mark.anyio

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@here"


async def test_a_generated_key_is_rsa_2048_and_its_private_half_is_shown_once() -> None:
    box = Box()
    made = await box.post("/ssh-keys/", {"name": "made"}, 201)
    private = load_pem_private_key(made["private_key"].encode(), None)
    public = load_ssh_public_key(made["ssh_key"]["public_key"].encode())
    assert isinstance(private, rsa.RSAPrivateKey)
    assert isinstance(public, rsa.RSAPublicKey)
    assert private.public_key().public_numbers() == public.public_numbers()
    assert private.key_size == 2048
    kept = [await box.get(f"/ssh-keys/{made['ssh_key']['id']}/"), await box.control("state")]
    kept += [await box.control("requests"), await box.control("journal")]
    assert "PRIVATE" not in json.dumps(kept)


async def test_a_given_key_is_kept_as_given_and_shows_no_private_half() -> None:
    box = Box()
    made = await box.post("/ssh-keys/", {"name": "mine", "public_key": f" {KEY}\n"}, 201)
    assert "private_key" not in made
    assert made["ssh_key"]["public_key"] == KEY
    assert made["ssh_key"]["fingerprint"].startswith("SHA256:")
    assert len(made["ssh_key"]["regions"]) == 7


@pytest.mark.parametrize(
    "public_key",
    [
        "nonsense",
        "ssh-rsa !!!",
        "ssh-ed448 AAAA",
        KEY.replace("ssh-ed25519 ", "ssh-rsa "),
        "ssh-rsa",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----",
        "ssh-rsa é",
    ],
)
async def test_what_is_no_public_key_is_refused_and_a_private_one_is_not_remembered(public_key: str) -> None:
    box = Box()
    assert list(await box.post("/ssh-keys/", {"name": "k", "public_key": public_key}, 400)) == ["public_key"]
    assert "PRIVATE KEY" not in json.dumps(await box.control("requests"))


async def test_key_names_have_no_spaces_and_are_taken_once() -> None:
    box = Box()
    assert list(await box.post("/ssh-keys/", {"name": "my key", "public_key": KEY}, 400)) == ["name"]
    answer = await box.post("/ssh-keys/", {"name": "laptop", "public_key": KEY}, 409)
    assert answer["message"] == "SSH key name already exists"


async def test_an_account_has_at_most_25_keys() -> None:
    box = Box()
    for number in range(23):
        await box.post("/ssh-keys/", {"name": f"k{number}", "public_key": KEY}, 201)
    answer = await box.post("/ssh-keys/", {"name": "more", "public_key": KEY}, 400)
    assert answer["code"] == "SSH_KEY_LIMIT_REACHED"


async def test_a_key_of_an_active_machine_can_not_be_deleted_one_of_a_stopped_machine_can() -> None:
    box = Box()
    key_id = box.id("keys", "laptop")
    assert "3 active" in (await box.delete(f"/ssh-keys/{key_id}/", 409))["message"]
    for name in ("train-1", "train-2", "infer-1"):
        await box.post(f"/instances/{box.instance(name)}/stop/")
    box.wait(30)
    await box.delete(f"/ssh-keys/{key_id}/")
    instance = (await box.get(f"/instances/{box.instance('notebook-1')}/"))["instance"]
    assert [key["name"] for key in instance["ssh_keys"]] == ["ci"]


async def test_a_script_is_kept_renamed_and_deleted() -> None:
    box = Box()
    text = "#!/bin/sh\necho 'ünï' && true\n"
    script = (await box.post("/scripts/", {"name": "s", "script": text}, 201))["script"]
    path = f"/scripts/{script['id']}/"
    box.wait(60)
    changed = (await box.call("PUT", path, {"name": "t"}))["script"]
    assert (changed["name"], changed["script"]) == ("t", text)
    assert changed["updated_at"] > changed["created_at"]
    await box.delete(path)
    await box.get(path, 404)


async def test_a_script_name_is_taken_once_but_may_stay() -> None:
    box = Box()
    path = f"/scripts/{box.id('scripts', 'install-docker')}/"
    assert (await box.call("PUT", path, {"name": "mount-scratch"}, expect=409))["code"] == "SCRIPT_NAME_EXISTS"
    assert (await box.post("/scripts/", {"name": "mount-scratch", "script": "x"}, 409))["code"] == "SCRIPT_NAME_EXISTS"
    await box.call("PUT", path, {"name": "install-docker"})
    assert box.effects() == []


async def test_an_update_must_change_something_and_scripts_have_a_text() -> None:
    box = Box()
    path = f"/scripts/{box.id('scripts', 'install-docker')}/"
    assert list(await box.call("PUT", path, {}, expect=400)) == ["non_field_errors"]
    assert list(await box.post("/scripts/", {"name": "s", "script": ""}, 400)) == ["script"]


async def test_a_bulk_deletion_says_what_was_deleted_and_what_was_not() -> None:
    box = Box()
    script_id = box.id("scripts", "install-docker")
    half = await box.post("/scripts/bulk-delete/", {"script_ids": [script_id, "SCR-0", script_id]})
    assert (half["deleted_count"], half["deleted_ids"]) == (1, [script_id])
    assert half["failed"] == [{"id": "SCR-0", "error": "Script not found"}]
    none = await box.post("/scripts/bulk-delete/", {"script_ids": [script_id]})
    assert (none["deleted_count"], len(none["failed"])) == (0, 1)
    assert box.effects() == ["bulk_delete_startup_scripts"]
    assert list(await box.post("/scripts/bulk-delete/", {"script_ids": []}, 400)) == ["script_ids"]
