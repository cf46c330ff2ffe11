"""SSH keys, spread to all regions. Only their public halves are kept."""

from __future__ import annotations

import base64
import hashlib

from barrack_mcp.simulator.calls import Call, Json, Route, missing, paged, rule
from barrack_mcp.simulator.clock import iso
from barrack_mcp.simulator.market import REGIONS
from barrack_mcp.simulator.rules import Field, key_blob, key_name, need_free_name, public_key, read
from barrack_mcp.simulator.world import Key

MAX_KEYS = 25
RSA_BITS = 2048

_CREATE = {"name": Field(key_name), "public_key": Field(public_key, required=False)}


def shown(key: Key) -> Json:
    """A key as the API shows it."""
    digest = base64.b64encode(hashlib.sha256(key_blob(key.public_key)).digest()).decode().rstrip("=")
    return {
        "id": key.id,
        "name": key.name,
        "public_key": key.public_key,
        "fingerprint": f"SHA256:{digest}",
        "regions": list(REGIONS),
        "created_at": iso(key.created_at),
    }


def _find(call: Call) -> Key:
    key = call.world.keys.get(call.ids["key_id"])
    if key is None:
        raise missing("SSH key")
    return key


def generate() -> tuple[str, str]:
    """A fresh RSA 2048 pair: the OpenSSH public half, the PEM private half."""
    # Imported here: most of those who import the simulator never make a key.
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    pair = rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
    public = pair.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    private = pair.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return public.decode(), private.decode()


def list_ssh_keys(call: Call) -> Json:
    """The keys, oldest first. Every key is in every region."""
    region = call.query.get("region")
    found = [] if region and region not in REGIONS else list(call.world.keys.values())
    return paged(call, "ssh_keys", found, shown)


def get_ssh_key(call: Call) -> Json:
    """One key."""
    return {"ssh_key": shown(_find(call))}


def create_ssh_key(call: Call) -> Json:
    """Keeps a public key; without one, makes a pair and shows the private half this once."""
    world, wanted = call.world, read(call.body, _CREATE)
    if len(world.keys) >= MAX_KEYS:
        raise rule(400, "SSH_KEY_LIMIT_REACHED", f"At most {MAX_KEYS} SSH keys are allowed")
    need_free_name("SSH key", wanted["name"], world.keys.values())
    public, private = (wanted["public_key"], None) if wanted["public_key"] else generate()
    key = Key(world.next_id("KEY-{}"), wanted["name"], public, call.now)
    world.keys[key.id] = key
    answer = {"message": "SSH key created", "ssh_key": shown(key)}
    return answer if private is None else {**answer, "private_key": private}


def delete_ssh_key(call: Call) -> Json:
    """Deletes a key from all regions unless an ACTIVE machine uses it."""
    key = _find(call)
    users = [each for each in call.world.instances.values() if key.id in each.ssh_key_ids and each.status == "ACTIVE"]
    if users:
        raise rule(409, "SSH_KEY_IN_USE", f"The SSH key is used by {len(users)} active instance(s)")
    del call.world.keys[key.id]
    return {"message": "SSH key deleted", "key_id": key.id}


ROUTES = (
    Route("list_ssh_keys", "GET", "/ssh-keys/", list_ssh_keys),
    Route("create_ssh_key", "POST", "/ssh-keys/", create_ssh_key, writes=True, status=201),
    Route("get_ssh_key", "GET", "/ssh-keys/{key_id}/", get_ssh_key),
    Route("delete_ssh_key", "DELETE", "/ssh-keys/{key_id}/", delete_ssh_key, writes=True),
)
