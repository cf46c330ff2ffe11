"""What an account holds at the epoch. Its past is lived through the API's own operations, bills included."""

from __future__ import annotations

import base64
import hashlib
import pickle
from functools import lru_cache

from barrack_mcp.simulator.calls import Answerer, Call
from barrack_mcp.simulator.market import GPUS, REGIONS
from barrack_mcp.simulator.routes import deploy, firewalls, instances, scripts, snapshots, volumes
from barrack_mcp.simulator.routes.keys import create_ssh_key
from barrack_mcp.simulator.rules import Json
from barrack_mcp.simulator.world import Account, Instance, Volume, World

MINUTE, HOUR, DAY = 60, 3600, 86_400
JUPYTER = {"jupyter_password": "kept-nowhere"}
UBUNTU = "Ubuntu 22.04 LTS CUDA 12.4"
SSH_RULE = {
    "direction": "ingress",
    "ethertype": "IPv4",
    "protocol": "tcp",
    "remote_ip_prefix": "203.0.113.0/24",
    "port_range_min": 22,
    "port_range_max": 22,
}
LARGE_INSTANCES, LARGE_VOLUMES = 2000, 500


def openssh(name: str) -> str:
    """A public key that is the same in every run; nobody has its private half."""
    kind = b"ssh-ed25519"
    point = hashlib.sha256(name.encode()).digest()
    blob = len(kind).to_bytes(4, "big") + kind + len(point).to_bytes(4, "big") + point
    return f"{kind.decode()} {base64.b64encode(blob).decode()} {name}"


class Story:
    """Lives an account's past: each deed takes effect, then time passes."""

    def __init__(self, world: World) -> None:
        self.world = world

    def do(self, deed: Answerer, body: Json | None = None, **ids: str) -> Json:
        """Do something as the API would."""
        return deed(Call(self.world, ids, {}, body or {}))

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.world.settle(self.world.now + seconds)

    def key(self, name: str) -> str:
        """An SSH key."""
        return str(self.do(create_ssh_key, {"name": name, "public_key": openssh(name)})["ssh_key"]["id"])

    def deploy(self, name: str, region: str, model: str, keys: list[str], **more: object) -> str:
        """A machine with one GPU; wait until it is ACTIVE."""
        body = {
            "name": name,
            "tier": GPUS[model].tier,
            "region": region,
            "gpu_model": model,
            "gpu_count": 1,
            "boot_source": "os_image",
            "os_image": UBUNTU,
            "ssh_key_ids": keys,
            "security_rules": [SSH_RULE],
        }
        instance_id = str(self.do(deploy.deploy_instance, body | more)["data"]["instance_id"])
        self.wait(3 * MINUTE)
        return instance_id

    def volume(self, name: str, region: str, volume_type: str, size_gb: int) -> str:
        """A disk; wait until it is available."""
        body = {"name": name, "size_gb": size_gb, "region": region, "volume_type": volume_type}
        body["tier"] = "legacy" if volume_type == "SSD" else "advanced"
        volume_id = str(self.do(volumes.create_volume, body)["volume"]["volume_id"])
        self.wait(MINUTE)
        return volume_id

    def snapshot(self, name: str, instance_id: str) -> str:
        """A snapshot; wait until it is complete."""
        made = self.do(snapshots.create_snapshot, {"name": name}, instance_id=instance_id)
        self.wait(2 * MINUTE)
        return str(made["data"]["snapshot_id"])

    def firewall(self, name: str, region: str, *rules: Json) -> str:
        """A firewall with rules."""
        made = self.do(firewalls.create_firewall, {"name": name, "region": region, "description": f"Rules of {name}"})
        firewall_id = str(made["firewall"]["id"])
        for each in rules:
            self.do(firewalls.add_firewall_rule, each, firewall_id=firewall_id)
        self.wait(MINUTE)
        return firewall_id


def small(world: World) -> None:
    """A few of everything, in both tiers."""
    story = Story(world)
    keys = [story.key("laptop"), story.key("ci")]
    texts = {"install-docker": "curl -fsSL get.docker.com | sh", "mount-scratch": "mount /dev/vdb /mnt/scratch"}
    for name, text in texts.items():
        story.do(scripts.create_startup_script, {"name": name, "script": f"#!/bin/sh\n{text}\n"})
    old = story.deploy("train-0", "NORWAY-1", "A100-PCIe-80GB", keys)
    scratch = story.volume("scratch-0", "NORWAY-1", "SSD", 200)
    draft = story.snapshot("draft-0", old)
    story.wait(2 * DAY)
    story.do(instances.delete_instance, instance_id=old)
    story.do(volumes.delete_volume, volume_id=scratch)
    story.do(snapshots.delete_snapshot, snapshot_id=draft)
    story.wait(20 * DAY)
    trial = story.deploy("trial-1", "US-1", "L40", keys[:1])
    story.wait(5 * HOUR)
    story.do(instances.delete_instance, instance_id=trial)

    archive = story.deploy("archive-1", "NORWAY-1", "A100-PCIe-80GB", keys)
    story.wait(DAY)
    story.do(instances.hibernate_instance, instance_id=archive)
    train_1 = story.deploy("train-1", "CANADA-1", "RTX-A6000", keys[:1])
    train_2 = story.deploy("train-2", "CANADA-1", "RTX-A6000", keys[:1])
    notebook = story.deploy("notebook-1", "CANADA-1", "A40", keys[1:], **JUPYTER)
    infer = story.deploy("infer-1", "FIN-01", "H100-SXM5-80GB", keys[:1])

    datasets = story.volume("datasets", "CANADA-1", "SSD", 500)
    story.volume("checkpoints", "CANADA-1", "SSD", 200)
    models = story.volume("models", "FIN-01", "NVMe", 300)
    story.volume("cold-store", "FIN-01", "HDD", 1000)
    story.do(volumes.attach_volumes, {"volume_ids": [datasets]}, instance_id=train_1)
    story.do(volumes.attach_volumes, {"volume_ids": [models]}, instance_id=infer)

    golden = story.snapshot("train-base", train_1)
    story.snapshot("train-2-before-upgrade", train_2)
    story.do(snapshots.create_custom_image, {"name": "train-base-v1"}, snapshot_id=golden)
    office = story.firewall("office", "CANADA-1", SSH_RULE, SSH_RULE | {"port_range_min": 443, "port_range_max": 443})
    story.do(firewalls.attach_firewall, {"instance_ids": [train_1, train_2]}, firewall_id=office)
    story.firewall("batch", "NORWAY-1", SSH_RULE)
    world.move(world.instances[notebook], "stop")


def modest(world: World) -> None:
    """One machine and one disk, to show another currency."""
    story = Story(world)
    keys = [story.key("laptop")]
    story.wait(29 * DAY)
    instance_id = story.deploy("etude-1", "NORWAY-1", "L40", keys)
    volume_id = story.volume("donnees", "NORWAY-1", "SSD", 100)
    story.do(volumes.attach_volumes, {"volume_ids": [volume_id]}, instance_id=instance_id)


def bare(world: World) -> None:
    """A key and nothing else."""
    Story(world).key("laptop")


def large(world: World) -> None:
    """2,000 machines and 500 disks over all regions, models and states: one failed, of one nothing is known."""
    world.stock_factor = 100
    story = Story(world)
    keys = [story.key("fleet")]
    story.wait(29 * DAY)
    usual: Json = {"gpu_count": 1, "boot_source": "os_image", "image_name": UBUNTU, "ssh_key_ids": keys}
    places = [(model, region) for model, gpu in GPUS.items() for region in gpu.capacity]
    for number in range(LARGE_INSTANCES):
        model, region = places[number % len(places)]
        name, tier = f"worker-{number + 1:04d}", GPUS[model].tier
        deploy.build(world, Instance(name=name, tier=tier, region=region, gpu_model=model, **usual))
    for number in range(LARGE_VOLUMES):
        region, (_, tiers) = list(REGIONS.items())[number % len(REGIONS)]
        kind, size_gb = "SSD" if tiers[0] == "legacy" else "NVMe", 100 + 100 * (number % 10)
        disk = Volume(name=f"data-{number + 1:03d}", size_gb=size_gb, region=region, tier=tiers[0], volume_type=kind)
        volumes.add_volume(world, disk)
    story.wait(HOUR)
    machines = list(world.instances.values())
    for instance in machines[8::10]:
        world.move(instance, "stop")
    for instance in machines[9::10]:
        world.move(instance, "hibernate")
    for instance, status in zip(machines[-4:-2], ("ERROR", "UNKNOWN"), strict=True):
        world.set_status(instance, status)


SCENARIOS = {"small": (small, 250.0), "large": (large, 2_000_000.0)}
"""What the main account holds, and its credit."""


def accounts(scenario: str, seed: int) -> dict[str, World]:
    """Every account of a scenario by its key, the main one first. Raises KeyError for an unknown scenario."""
    return _past(scenario, seed).give()


class _Past:
    """What the accounts of a scenario have lived through.

    It is lived anew for the first who asks, since a server asks once. Who begins again and again, as tests do, would
    wait six times as long for it as for a copy.
    """

    def __init__(self, scenario: str, seed: int) -> None:
        self._scenario, self._seed = scenario, seed
        self._asked = False
        self._kept = b""

    def give(self) -> dict[str, World]:
        """The accounts, which are the asker's own."""
        if self._kept:
            copied: dict[str, World] = pickle.loads(self._kept)  # noqa: S301 - what this process has just pickled
            return copied
        worlds = self._live()
        if self._asked:
            self._kept = pickle.dumps(worlds)
        self._asked = True
        return worlds

    def _live(self) -> dict[str, World]:
        main, credit = SCENARIOS[self._scenario]
        told = (
            (Account("sim-key", "dev@example.com", "USD", credit), main),
            (Account("sim-key-new", "new@example.com", "USD", 100.0, complete=False), bare),
            (Account("sim-key-poor", "poor@example.com", "USD", 0.5), bare),
            (Account("sim-key-eur", "eur@example.com", "EUR", 100.0), modest),
        )
        worlds = {}
        for index, (account, tell) in enumerate(told):
            world = worlds[account.key] = World(account, seed=self._seed, index=index)
            tell(world)
            world.open_purse()
        return worlds


_past = lru_cache(maxsize=4)(_Past)
