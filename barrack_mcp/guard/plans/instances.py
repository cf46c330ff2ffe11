"""What happens to an instance that is stopped, rebooted, hibernated, given or robbed of its public IP, or deleted."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from barrack_mcp.account import money
from barrack_mcp.account.desk import Sheet, Single
from barrack_mcp.account.reading import Listing
from barrack_mcp.account.things import (
    TIMES,
    Thing,
    age,
    all_told,
    joined,
    labels,
    listed,
    objects,
    said,
    said_when,
    size,
    spent,
    text,
    things,
    usable_id,
    usable_name,
)
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.kinds import FIREWALL, IMAGE, INSTANCE, SNAPSHOT, VOLUME
from barrack_mcp.catalogue.outcome import Safer
from barrack_mcp.guard.exposure import opened
from barrack_mcp.guard.plans.draft import Draft, Inquiry, cost, name_all, require
from barrack_mcp.guard.plans.openings import rules_of, tell_openings
from barrack_mcp.guard.plans.states import is_allowed, refuse_by_state, refuse_if_going

MAY_BE_LOST: Final = "its ephemeral disk, if it has one"


@dataclass(frozen=True)
class Surroundings:
    """An instance and all that hangs on it."""

    inquiry: Inquiry
    thing: Thing
    price_list: Single
    bills: Listing
    firewalls: Listing
    snapshots: list[Thing]
    images: list[Thing]
    volumes: list[Thing]
    """Its volumes, the one it boots from included."""

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.inquiry.arguments["instance_id"])

    @property
    def label(self) -> str:
        """Its name, and in brackets id, state, GPUs and region."""
        return self.thing.with_facts(said(self.thing.row, "status"), self.gpus, said(self.thing.row, "region"))

    @property
    def gpus(self) -> str | None:
        """Its GPUs: `1 x RTX-A6000` with a true times sign."""
        return gpus(self.thing.row)

    @property
    def data_volumes(self) -> list[Thing]:
        """Its volumes but the one it boots from."""
        return [volume for volume in self.volumes if not boots(volume)]

    def rate(self, rate: money.Billed | None) -> Decimal | None:
        """What it costs per hour at a rate."""
        return self.inquiry.prices(self.price_list).instance(self.thing.row, rate)

    @property
    def now(self) -> Decimal | None:
        """What it costs per hour as it stands."""
        return self.rate(money.billed(self.thing.status))

    def tell_rate(self, rate: money.Billed) -> str:
        """A rate in words, with its amount if that is known."""
        amount = self.rate(rate)
        return f"the {rate}" + ("" if amount is None else f" ({money.write_rate(amount, self.inquiry.currency)})")

    def draft(self, summary: str, *, after: money.Billed | None) -> Draft:
        """Begin the plan: what the instance is, has and costs."""
        spent_so_far = spent(self.bills.rows, of=self.thing, currency=self.inquiry.currency)
        firewalls = things(FIREWALL, self.firewalls.rows)
        return Draft(
            summary=summary,
            target=self.thing.target(
                gpus=self.gpus,
                tier=said(self.thing.row, "tier"),
                age=age(self.thing.row, self.inquiry.now),
                created_at=said_when(self.thing.row, "created_at"),
                public_ip=said(self.thing.row, "public_ip"),
                volumes=labels(self.volumes),
                firewalls=labels(firewalls),
                snapshots=labels(self.snapshots),
                images=labels(self.images),
            ),
            things=[self.thing],
            cost=cost(
                self.inquiry,
                now=self.now,
                after=self.now if after is None else self.rate(after),
                spent=spent_so_far,
            ),
        )

    def wants_active(self, verb: str, doing: str) -> list[str]:
        """Warn if it is not ACTIVE, as this wants it, and Barrack does not say that it can be done all the same."""
        if self.thing.status in ("", "ACTIVE") or is_allowed(self.thing, verb):
            return []
        return [f"It is {said(self.thing.row, 'status')}; {doing} wants ACTIVE, so Barrack will probably refuse."]

    @property
    def costs(self) -> str | None:
        """What it costs as it stands, in words; None if that is not known."""
        return rate_in_words(self.thing, self.now, self.inquiry.currency)

    def snapshot_first(self) -> list[Safer]:
        """Offer to take a snapshot, where the instance allows one."""
        if self.thing.status != "ACTIVE" or str(text(self.thing.row, "tier")).lower() != "legacy":
            return []
        name = usable_name(self.thing.name, "-backup")
        return [
            Safer(
                tool="create_snapshot",
                arguments={"instance_id": self.id, "name": name},
                why="A snapshot first keeps a copy of its disk; it is billed while it exists.",
            )
        ]

    def hibernate(self, why: str) -> list[Safer]:
        """Offer to hibernate it, where its state allows that."""
        if self.thing.status == "ACTIVE":
            return [Safer(tool="hibernate_instance", arguments={"instance_id": self.id}, why=why)]
        if self.thing.status == "SHUTOFF":
            start = "Once it is ACTIVE it can be hibernated. "
            return [Safer(tool="start_instance", arguments={"instance_id": self.id}, why=start + why)]
        return []


def rate_in_words(instance: Thing, hourly: Decimal | None, currency: str) -> str | None:
    """Say what an instance costs in its state: `the full rate (0.69 USD an hour)`; None if that is not known."""
    rate = money.billed(instance.status)
    if rate is None:
        return None
    if rate is money.Billed.NOTHING:
        return "nothing"
    return f"the {rate}" + ("" if hourly is None else f" ({money.write_rate(hourly, currency)})")


def gpus(row: JsonObject) -> str | None:
    """The GPUs of a row: `1 x RTX-A6000` with a true times sign."""
    model, count = said(row, "gpu_type", "gpu_model"), said(row, "gpu_count")
    return f"{count} {TIMES} {model}" if count and model else model


def boots(volume: Thing) -> bool:
    """Whether an attached volume is the one that its instance boots from, as far as the API tells."""
    return any(volume.row.get(name) is True for name in ("boot", "is_boot", "bootable"))


async def look(inquiry: Inquiry, *, deleting: bool = False, opening: bool = False) -> Surroundings:
    """Read an instance and all that hangs on it.

    Args:
        inquiry: The call.
        deleting: Whether the plan says what outlives the instance, which then binds.
        opening: Whether it says whom the instance lets in, which then binds, and nothing of what outlives it.
    """
    instance_id = inquiry.arguments["instance_id"]
    path = {"instance_id": instance_id}
    snapshots, images = Listing(), Listing()
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_instance", path)
        price_list = ask_prices(sheet)
        bills = sheet.rows("get_instance_billing", path, "what it has cost so far")
        binds = deleting or opening
        firewalls = sheet.rows("list_instance_firewalls", path, "the firewalls attached to it", binds=binds)
        if not opening:
            snapshots = sheet.rows("list_snapshots", {}, "the snapshots made from it", binds=deleting)
            images = sheet.rows("list_custom_images", {}, "the images made from it", binds=deleting)
    thing = require(found, INSTANCE, instance_id)
    own = things(SNAPSHOT, snapshots.rows, where=lambda row: text(row, "instance_id") == instance_id)
    ids = {snapshot.id for snapshot in own} - {None}
    made = things(IMAGE, images.rows, where=lambda row: text(row, "snapshot_id") in ids)
    volumes = await name_all(inquiry, things(VOLUME, thing.row.get("volume_attachments")))
    return Surroundings(inquiry, thing, price_list, bills, firewalls, own, made, volumes)


def ask_prices(sheet: Sheet) -> Single:
    """Order the price list."""
    return sheet.one("get_pricing", {}, "the prices")


async def stop_instance(inquiry: Inquiry) -> Draft:
    """The instance goes down and costs as before."""
    around = await look(inquiry)
    summary = f"Stop instance {around.label}: what runs on it ends, and the bill goes on."
    draft = around.draft(summary, after=money.Billed.FULL)
    draft.lost = ["what runs on it and everything in its memory"]
    draft.kept = ["its disks, volumes and IPs"]
    draft.bill = [f"Stopping saves nothing: {around.tell_rate(money.Billed.FULL)} goes on while it is stopped."]
    draft.warnings = around.wants_active("stop", "stopping")
    draft.safer = around.hibernate(_falls(around)) if around.thing.status == "ACTIVE" else []
    refuse_by_state(draft, around.thing, "stop", costs=around.costs)
    return draft


async def start_instance(inquiry: Inquiry) -> Draft:
    """A stopped instance runs again, at the rate that it costs already."""
    instance_id = inquiry.arguments["instance_id"]
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_instance", {"instance_id": instance_id})
        price_list = ask_prices(sheet)
    instance = Thing(INSTANCE, found.known, asked=instance_id)
    hourly = inquiry.prices(price_list).instance(instance.row, money.billed(instance.status))
    draft = Draft(
        summary=f"Start instance {instance.with_facts(said(instance.row, 'status'), gpus(instance.row))}.",
        target=instance.target(gpus=gpus(instance.row)),
        things=[instance],
        kept=["its bill: it costs the full rate already"],
    )
    refuse_by_state(draft, instance, "start", costs=rate_in_words(instance, hourly, inquiry.currency))
    return draft


async def reboot_instance(inquiry: Inquiry) -> Draft:
    """The instance goes down and comes up again."""
    around = await look(inquiry)
    draft = around.draft(f"Reboot instance {around.label}: what runs on it ends.", after=None)
    draft.lost = ["what runs on it and everything in its memory"]
    draft.bill = ["Its bill stays as it is: the full rate goes on."]
    draft.kept = ["its disks, volumes and IPs"]
    draft.warnings = around.wants_active("reboot", "rebooting")
    draft.safer = around.snapshot_first()
    refuse_by_state(draft, around.thing, "reboot", costs=around.costs)
    return draft


async def hibernate_instance(inquiry: Inquiry) -> Draft:
    """The instance sleeps at a small rate."""
    around = await look(inquiry)
    summary = f"Hibernate instance {around.label}: what runs on it ends, and the bill falls to the hibernated rate."
    draft = around.draft(summary, after=money.Billed.HIBERNATED)
    draft.lost = ["what runs on it"]
    draft.uncertain = [MAY_BE_LOST, *_address(around, "restoring may give another")]
    draft.bill = [f"{_falls(around)} Volumes and snapshots go on costing."]
    draft.kept = ["its system disk", *_volumes(around.volumes, "goes on costing")]
    draft.warnings = [
        "Restoring it needs free GPUs of its kind and credit at that time.",
        *around.wants_active("hibernate", "hibernating"),
    ]
    draft.safer = around.snapshot_first()
    refuse_by_state(draft, around.thing, "hibernate", costs=around.costs)
    return draft


async def toggle_instance_public_ip(inquiry: Inquiry) -> Draft:
    """The public IP is taken away or given, whichever it is not now."""
    around = await look(inquiry, opening=True)
    address = said(around.thing.row, "public_ip")
    state = (text(around.thing.row, "ip_status") or "").upper()
    if address or state == "ATTACHED":
        draft = around.draft(
            f"Take the public IP {address or '(address unknown)'} away from instance {around.label}.", after=None
        )
        draft.lost = [f"the public IP {address or ''}".strip(), "every connection through it, SSH included"]
        draft.warnings = ["It has a public IP now and will have none; another toggle may give a different one."]
    elif state in ("", "DETACHED"):
        draft = around.draft(f"Give instance {around.label} a public IP.", after=None)
        draft.widely = _opened_by_address(around)
        draft.opens = ["the internet, by a public IP: it shows none now and will have one"]
    else:
        draft = around.draft(f"Flip the public IP of instance {around.label}.", after=None)
        now = said(around.thing.row, "ip_status")
        draft.widely = _opened_by_address(around)
        draft.opens = ["the internet, by a public IP, if it has none"]
        draft.uncertain = ["its public IP and every connection through it, if it has one"]
        draft.warnings = [f"The public IP is {now} now, so the call may give it or take it away."]
    if inquiry.arguments.get("want") == ("on" if draft.lost else "off"):
        # it was flipped by somebody else since it was looked at
        draft.refusal = "Not done: the public IP is as it is wanted by now. Nothing was sent."
    draft.warnings += around.wants_active("toggle_public_ip", "toggling the public IP")
    draft.kept = ["its disks, volumes and private IP"]
    # a yes to giving one is none to taking it away
    draft.facts["now"] = state
    if around.thing.status == "HIBERNATED":
        refuse_by_state(draft, around.thing, "toggle_public_ip", costs=around.costs)
    return draft


def _opened_by_address(around: Surroundings) -> list[str]:
    """Whom an instance lets in from the internet once it has an address there."""
    return tell_openings(opened([], rules_of(around.thing.row, around.firewalls)), "this instance, by the public IP")


async def delete_instance(inquiry: Inquiry) -> Draft:
    """The instance is gone for good."""
    around = await look(inquiry, deleting=True)
    draft = around.draft(f"Delete instance {around.label} for good.", after=money.Billed.NOTHING)
    boot = [volume for volume in around.volumes if boots(volume)]
    draft.touched = around.volumes
    draft.touches_unread = not all_told(around.thing.row.get("volume_attachments"))
    draft.staying = [*around.snapshots, *around.images, *things(FIREWALL, around.firewalls.rows)]
    draft.lost = [
        "its system disk and ephemeral disk, with everything on them",
        *_volumes(boot, "it boots from it, so it may go with it"),
        *_address(around, "will not come back"),
        *_own_rules(around),
    ]
    draft.uncertain = _volumes(around.data_volumes, "that it survives is not documented, so detach it first to be sure")
    draft.kept = [
        *_volumes(around.data_volumes, "should stay, detached, and goes on costing"),
        *listed([f"{snapshot.in_words}, which goes on costing" for snapshot in around.snapshots], most=5),
        *([f"custom images made from it: {joined(labels(around.images))}"] if around.images else []),
        *([f"firewalls: {joined(labels(things(FIREWALL, around.firewalls.rows)))}"] if around.firewalls.rows else []),
    ]
    if not isinstance(around.thing.row.get("volume_attachments"), list):
        draft.uncertain = ["volumes that are attached to it: Barrack did not say which"]
    draft.safer = [
        *around.hibernate(f"It can be restored later. {_falls(around)}"),
        *around.snapshot_first(),
        *_detach(around),
    ]
    refuse_if_going(draft, around.thing)
    return draft


def _detach(around: Surroundings) -> list[Safer]:
    ids = [found for volume in around.data_volumes if (found := usable_id(volume.id))]
    arguments = {"instance_id": around.id, "volume_ids": ids}
    why = "Detached first, its volumes are safe from the deletion."
    return [Safer(tool="detach_volumes", arguments=arguments, why=why)] if ids else []


def _falls(around: Surroundings) -> str:
    full, hibernated = around.tell_rate(money.Billed.FULL), around.tell_rate(money.Billed.HIBERNATED)
    return f"Hibernated, its bill falls from {full} to {hibernated}."


def _volumes(found: list[Thing], fate: str) -> list[str]:
    """Say of volumes what becomes of them."""
    return [f"volume {volume.with_facts(size(volume.row, 'size_gb'))}: {fate}" for volume in found]


def _address(around: Surroundings, fate: str) -> list[str]:
    address = said(around.thing.row, "public_ip")
    return [f"public IP {address}: {fate}"] if address else []


def _own_rules(around: Surroundings) -> list[str]:
    count = len(objects(around.thing.row.get("security_rules")))
    return [f"its own security rules ({count})"] if count else []
