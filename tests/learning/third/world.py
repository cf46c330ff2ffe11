"""A world to begin with, and what became of it."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from tests.learning.third.models import Backup, Disk, Effect, Group, Key, Machine, Rule

MODELS = (Rule, Group, Backup, Disk, Machine, Key, Effect)


@transaction.atomic
def renewed() -> None:
    """Begin again with a few things of each kind."""
    for model in MODELS:
        model.objects.all().delete()
    one = Machine.objects.create(name="trainer")
    Machine.objects.create(name="sleeper", status="SHUTOFF")
    Disk.objects.create(name="data-1", size=100, region="CANADA-1", kind="nvme")
    Disk.objects.create(name="data-2", size=200, region="CANADA-1", kind="ssd", machine=one, status="in-use")
    Backup.objects.create(name="monday", machine=one)
    Key.objects.create(name="laptop", public_key="ssh-ed25519 AAAA laptop")
    group = Group.objects.create(name="web", region="CANADA-1")
    Rule.objects.create(
        group=group,
        direction="ingress",
        ethertype="IPv4",
        protocol="tcp",
        port_range_min=443,
        port_range_max=443,
        cidr="10.0.0.0/8",
    )


def told() -> dict[str, Any]:
    """Every effect in order, and the ids of each kind of thing."""
    things = {model.__name__.lower(): [str(row.pk) for row in model.objects.order_by("name")] for model in MODELS[1:-1]}
    things["rule"] = [str(row.pk) for row in Rule.objects.all()]
    return {"effects": [effect.what for effect in Effect.objects.order_by("pk")], "things": things}


def took_effect(what: str) -> None:
    """Count it."""
    Effect.objects.create(what=what)
