"""SSH keys, spread to all regions. Only their public halves are kept."""

from __future__ import annotations

import base64
import hashlib

from barrack_mcp.simulator.calls import Call, pick, route
from barrack_mcp.simulator.clock import iso
from barrack_mcp.simulator.market import REGIONS
from barrack_mcp.simulator.rules import Body, Json, KeyName, PublicKey, key_blob, refusal
from barrack_mcp.simulator.world import Key

MAX_KEYS = 25
RSA_BITS = 2048


class _NewKey(Body):
    name: KeyName
    public_key: PublicKey | None = None


def show_key(key: Key) -> Json:
    """A key as the API shows it."""
    digest = base64.b64encode(hashlib.sha256(key_blob(key.public_key)).digest()).decode().rstrip("=")
    return {
        **pick(key, "id", "name", "public_key"),
        "fingerprint": f"SHA256:{digest}",
        "regions": list(REGIONS),
        "created_at": iso(key.created_at),
    }


def _generate() -> tuple[str, str]:
    """A fresh RSA 2048 pair: the OpenSSH public half, the PEM private half."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - most who import this never make a key
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - likewise

    pair = rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
    public = pair.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    private = pair.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return public.decode(), private.decode()


@route("GET", "/ssh-keys/")
def list_ssh_keys(call: Call) -> Json:
    """The keys, oldest first. Every key is in every region."""
    region = call.query.get("region")
    found = [] if region and region not in REGIONS else list(call.world.keys.values())
    return call.page("ssh_keys", found, show_key)


@route("GET", "/ssh-keys/{key_id}/")
def get_ssh_key(call: Call) -> Json:
    """One key."""
    return {"ssh_key": show_key(call.find(call.world.keys))}


@route("POST", "/ssh-keys/", status=201)
def create_ssh_key(call: Call) -> Json:
    """Keeps a public key; without one, makes a pair and shows the private half this once."""
    keys, wanted = call.world.keys, call.read(_NewKey)
    if len(keys) >= MAX_KEYS:
        raise refusal(400, "SSH_KEY_LIMIT_REACHED", f"At most {MAX_KEYS} SSH keys are allowed")
    keys.need_free(wanted.name)
    public, private = (wanted.public_key, None) if wanted.public_key else _generate()
    key = call.world.put(keys, Key(name=wanted.name, public_key=public))
    answer = {"message": "SSH key created", "ssh_key": show_key(key)}
    return answer if private is None else {**answer, "private_key": private}


@route("DELETE", "/ssh-keys/{key_id}/")
def delete_ssh_key(call: Call) -> Json:
    """Deletes a key from all regions unless an ACTIVE machine uses it."""
    key = call.find(call.world.keys)
    users = [each for each in call.world.instances.values() if key.id in each.ssh_key_ids and each.status == "ACTIVE"]
    if users:
        raise refusal(409, "SSH_KEY_IN_USE", f"The SSH key is used by {len(users)} active instance(s)")
    del call.world.keys[key.id]
    return {"message": "SSH key deleted", "key_id": key.id}
