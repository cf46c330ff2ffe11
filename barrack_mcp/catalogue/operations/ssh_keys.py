"""SSH keys: how people get into their machines. Barrack spreads each key to all regions."""

from functools import partial
from typing import Final

from barrack_mcp.catalogue.envelope import Named, Paged, Receipt
from barrack_mcp.catalogue.kinds import KEY
from barrack_mcp.catalogue.models import Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.signs import Gone, Look, Made
from barrack_mcp.catalogue.values import Id, KeyName, Lines, PublicKey, RegionEnum, Text, Texts, WholeText

GROUP: Final = "SSH Keys"

declare = partial(Operation, group=GROUP, toolset=Toolset.SSH_KEYS)


class KeyPath(Request):
    """Which SSH key."""

    key_id: Id = required("Id or name.")


class ListSSHKeysQuery(Request):
    """Which keys to list."""

    region: RegionEnum | None = optional("Region.")


class CreateSSHKeyRequest(Request):
    """A key to add, or the name of one to make."""

    name: KeyName = required("1-50 letters, digits, - _ .")
    public_key: PublicKey | None = optional("OpenSSH public key, one line.", blank_counts=True)


class SSHKeyResponse(Response):
    """A key as the API shows it."""

    id: Text = answered("Key id.", "key_id", "ssh_key_id")
    name: Text = answered("Name.", "key_name", "ssh_key_name")
    public_key: Lines = answered("The public half.")
    fingerprint: Text = answered("Fingerprint.")
    regions: Texts = answered("Regions that have it.", "region")
    created_at: Text = answered("When it was added, ISO 8601.")


class GetSSHKeysResponse(Paged):
    """A page of keys."""

    ssh_keys: list[SSHKeyResponse] | None = answered("The keys of this page.", "keys")


class KeptKey(Response):
    """What we add: where the private half of a generated key is."""

    private_key_file: Text = answered("The file that holds it; only its owner can read it.")


class GetSSHKeyDetailResponse(Receipt):
    """One key."""

    ssh_key: SSHKeyResponse | None = answered("The key.", "key")


class CreateSSHKeyResponse(Receipt):
    """The key that was added."""

    ssh_key: SSHKeyResponse | None = answered("The new key.", "key")
    private_key: WholeText = answered("The private half of a generated key, sent this once.", secret=True)


class DeleteSSHKeyResponse(Receipt):
    """The key is gone."""

    key_id: Text = answered("Id of the deleted key.")


OPERATIONS = (
    declare(
        tool="list_ssh_keys",
        title="List SSH keys",
        risk=Risk.READ,
        description="SSH keys with ids and fingerprints; deploy_instance needs at least one.",
        endpoint=Endpoint("GET", "/ssh-keys/", Confidence(97, 60)),
        alternates=elsewhere("GET", "/sshkeys/", "/keys/"),
        request=ListSSHKeysQuery,
        ours=Named,
        paged=True,
        response=GetSSHKeysResponse,
        result="ssh_keys",
        core=True,
    ),
    declare(
        tool="create_ssh_key",
        title="Create SSH key",
        risk=Risk.CHANGE,
        description="Add a public key to all regions (25 at most). Without public_key a pair is made, its private "
        "half shown once.",
        endpoint=Endpoint("POST", "/ssh-keys/", Confidence(97, 60)),
        request=CreateSSHKeyRequest,
        response=CreateSSHKeyResponse,
        adds=KeptKey,
        result="ssh_key",
        core=True,
        look=Look("list_ssh_keys"),
        sign=Made(KEY, texts=("public_key",)),
    ),
    declare(
        tool="get_ssh_key",
        title="Get SSH key",
        risk=Risk.READ,
        description="One SSH key: name, public half, fingerprint and its regions.",
        endpoint=Endpoint("GET", "/ssh-keys/{key_id}/", Confidence(97, 60)),
        place=KeyPath,
        response=GetSSHKeyDetailResponse,
        result="ssh_key",
    ),
    declare(
        tool="delete_ssh_key",
        title="Delete SSH key",
        risk=Risk.DESTROY,
        description="Delete an SSH key for good. Refused while an ACTIVE instance has it; others keep it inside.",
        endpoint=Endpoint("DELETE", "/ssh-keys/{key_id}/", Confidence(95, 60)),
        place=KeyPath,
        response=DeleteSSHKeyResponse,
        look=Look("get_ssh_key", ("key_id",)),
        sign=Gone(),
        after="Machines that were made with it keep it, hibernated ones too: to shut it out, take it out of "
        "~/.ssh/authorized_keys there.",
    ),
)
