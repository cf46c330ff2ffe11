"""What is bought when an instance is deployed."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from barrack_mcp.account import money
from barrack_mcp.account.prices import Prices
from barrack_mcp.account.reading import Listing
from barrack_mcp.account.spending.standing import Standing
from barrack_mcp.account.things import Thing, age, objects, said, sentence, size, text, things, usable_id
from barrack_mcp.api.text import nearest
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.kinds import IMAGE, INSTANCE, KEY, SCRIPT, VOLUME
from barrack_mcp.catalogue.outcome import Safer
from barrack_mcp.guard.exposure import opened, read_rules
from barrack_mcp.guard.plans.draft import Draft, Inquiry
from barrack_mcp.guard.plans.firewalls import in_few_words
from barrack_mcp.guard.plans.instances import gpus
from barrack_mcp.guard.plans.openings import tell_openings
from barrack_mcp.guard.plans.scripts import length
from barrack_mcp.guard.plans.spending.purchase import (
    FULL_RATE,
    UNKNOWN_REGION,
    bought,
    known_region,
    lease,
    refuse_misspelt_region,
    refuse_unlisted,
)
from barrack_mcp.guard.plans.spending.stock import ask_stock, refuse_too_many, refuse_without_stock

_NAMED: Final = (
    ("volume_id", VOLUME),
    ("image_id", IMAGE),
    ("startup_script_id", SCRIPT),
)
"""What a deployment may name by its id: the argument, and its kind."""

_PUBLIC_IP: Final[Mapping[bool | None, str]] = MappingProxyType({True: "yes", False: "no", None: "not asked for"})
_LAST_PORT: Final = 65_535


async def deploy_instance(inquiry: Inquiry) -> Draft:
    """A new instance costs from when it is ACTIVE."""
    wanted = inquiry.arguments
    async with inquiry.desk.side_by_side() as sheet:
        standing = Standing.ask(sheet, bills=inquiry.known.by_month)
        stock = ask_stock(sheet)
        regions = sheet.rows("list_regions", {}, "the regions")
        listed_keys = sheet.rows("list_ssh_keys", {}, "the SSH keys", binds=True)
        named = {
            name: sheet.one(
                kind.get_tool, {kind.arguments[0]: wanted[name]}, f"the {kind.words} that it names", binds=True
            )
            for name, kind in _NAMED
            if name in wanted
        }
        systems = (
            sheet.rows("list_os_images", {"region": wanted["region"], "tier": wanted["tier"]}, "the OS images")
            if "os_image" in wanted
            else Listing()
        )
    keys = await _keys(inquiry, listed_keys)
    used = {name: Thing(kind, named[name].known, asked=wanted[name]) for name, kind in _NAMED if name in named}
    ours = await inquiry.tell_last_changes([*used.values(), *keys])
    machine = {"gpu_type": wanted["gpu_model"], "gpu_count": wanted["gpu_count"], "tier": wanted["tier"]}

    def disk(prices: Prices) -> Decimal | None:
        if "os_volume" not in wanted:
            return Decimal(0)
        size_gb = wanted["os_volume"]["size_gb"]
        return prices.dearest_volume(tier=wanted["tier"], size_gb=size_gb)

    def price(prices: Prices) -> Decimal | None:
        whole, part = prices.instance(machine, money.Billed.FULL), disk(prices)
        return None if whole is None or part is None else whole + part

    # a model that has a price stands in Barrack's own list; no other word of the caller is shown
    prices = standing.prices(inquiry.currency)
    sold = price(prices) is not None
    hardware = gpus(machine) if sold else None
    region = known_region(wanted["region"], regions.rows)
    system = next((said(row, "name") for row in systems.rows if row.get("name") == wanted.get("os_image")), None)
    rules = sorted(objects(wanted.get("security_rules")), key=_narrowness)
    parts = [part for part in (hardware, wanted["tier"], region or "a region that Barrack doesn't list") if part]
    draft = Draft(
        summary=f"Buy an instance ({', '.join(parts)})",
        target={
            "type": "instance",
            "id": None,
            "name": wanted["name"],
            "gpus": hardware,
            "tier": wanted["tier"],
            "region": region,
        },
        widely=tell_openings(opened([], read_rules(wanted.get("security_rules", []))), "the new instance"),
        opens=[
            *(f"SSH key {key.with_facts(_made(key, inquiry.now), ours.get(key.key))}" for key in keys),
            f"public IP: {_PUBLIC_IP[wanted.get('public_ip')]}",
            *in_few_words(rules),
        ],
        runs=_runs(wanted, used, system, inquiry.now, ours),
        bill=[FULL_RATE],
        warnings=[
            *([] if region else [UNKNOWN_REGION]),
            *_disk_part(wanted, disk(prices), inquiry.currency),
        ],
        safer=_instead(wanted, standing.instances),
        facts={"made_with": [thing.facts for thing in (*used.values(), *keys)]},
        refusal=_unread([*used.values(), *keys]),
    )
    refuse_misspelt_region(draft, wanted["region"], regions.rows)
    if "os_image" in wanted and system is None:
        _refuse_without_system(draft, wanted["os_image"], systems)
    refuse_too_many(draft, machine, prices)
    refuse_without_stock(draft, machine | {"region": wanted["region"]}, stock)
    return await lease(inquiry, standing, bought(inquiry, standing, draft, price), price)


def _refuse_without_system(draft: Draft, wanted: str, systems: Listing) -> None:
    """Refuse an OS image that a whole list has not: nobody need be asked for what Barrack can't make."""
    names = [name for row in systems.rows if (name := text(row, "name"))]
    told = any(wanted in map(str, row.values()) for row in systems.rows)
    if draft.refusal is None and systems.complete and names and not told:
        near = nearest(wanted, names, cutoff=0.4)
        refuse_unlisted(draft, "OS image of this name for this region and tier", near, tool="list_os_images")


async def _keys(inquiry: Inquiry, listing: Listing) -> list[Thing]:
    """Find the keys that open the new instance: in the list, else one by one."""
    wanted: list[str] = inquiry.arguments["ssh_key_ids"]
    rows = {key.id: key.row for key in things(KEY, listing.rows)}
    async with inquiry.desk.side_by_side() as sheet:
        details = {
            at: sheet.one("get_ssh_key", {"key_id": at}, "an SSH key that it names", binds=True)
            for at in wanted
            if at not in rows
        }
    return [Thing(KEY, rows[at] if at in rows else details[at].known, asked=at) for at in wanted]


def _unread(named: list[Thing]) -> str | None:
    """Refuse what names a thing that nobody could show: who would log in and what would run could not be said."""
    unread = next((thing for thing in named if not thing.row), None)
    return (
        None
        if unread is None
        else (
            f"Barrack does not show the {unread.kind.words} that it names, so what this would open or run can't be "
            "said. Nothing was sent; check its id. If it is right, try again later."
        )
    )


def _narrowness(rule: JsonObject) -> tuple[bool, float, int]:
    """Sort rules so that what lets in most comes first."""
    network = ipaddress.ip_network(rule["remote_ip_prefix"], strict=False)
    ports = rule.get("port_range_max", _LAST_PORT) - rule.get("port_range_min", 0)
    return rule["direction"] == "egress", network.prefixlen / network.max_prefixlen, -ports


def _made(thing: Thing, now: float) -> str | None:
    """Say how long ago a thing was made, or changed where that is told."""
    changed = thing.row.get("updated_at")
    ago = age({"created_at": changed or thing.row.get("created_at")}, now)
    return f"{'last changed' if changed else 'made'} {ago} ago" if ago else None


def _runs(
    wanted: JsonObject, used: Mapping[str, Thing], system: str | None, now: float, ours: Mapping[tuple[str, str], str]
) -> list[str]:
    """Say what the new instance boots from, and what runs on it that is not shown here."""
    runs = []
    if "os_image" in wanted:
        runs.append(f"OS image {system}" if system else "an OS image that is not in Barrack's list for this region")
    for name, thing in used.items():
        facts = (length(thing),) if name == "startup_script_id" else (size(thing.row, "size_gb", "size"),)
        runs.append(f"{thing.kind.words} {thing.with_facts(*facts, _made(thing, now), ours.get(thing.key))}")
    if "cloud_init" in wanted:
        runs.append(f"cloud-init of {len(wanted['cloud_init'].encode()):,} bytes, not shown here")
    if "jupyter_password" in wanted:
        runs.append("Jupyter on port 8888")
    return runs


def _disk_part(wanted: JsonObject, disk: Decimal | None, currency: str) -> list[str]:
    if "os_volume" not in wanted or disk is None:
        return []
    size_gb = wanted["os_volume"]["size_gb"]
    return [f"Of this, its system volume of {size_gb:,} GB is at most {money.write_rate(disk, currency)}."]


def _instead(wanted: JsonObject, instances: Listing) -> list[Safer]:
    """Offer an instance of the same kind that is there already and idle."""
    same = [
        thing
        for thing in things(INSTANCE, instances.rows)
        if all(
            str(thing.row.get(field)).lower() == str(wanted[name]).lower()
            for field, name in (("gpu_type", "gpu_model"), ("gpu_count", "gpu_count"), ("region", "region"))
        )
    ]
    offers = (
        ("SHUTOFF", "start_instance", "is stopped and costs the full rate already: starting it adds nothing."),
        ("HIBERNATED", "restore_instance", "is hibernated: restoring it makes no second one."),
    )
    return [
        Safer(tool=tool, arguments={"instance_id": at}, why=f"{sentence(thing.in_words)}, of the same kind, {why}")
        for status, tool, why in offers
        for thing in [each for each in same if each.status == status][:1]
        if (at := usable_id(thing.id))
    ]
