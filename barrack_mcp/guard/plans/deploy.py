"""What is bought when an instance is deployed."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from barrack_mcp.account import money
from barrack_mcp.account.prices import Prices
from barrack_mcp.account.reading import Listing
from barrack_mcp.account.standing import Standing
from barrack_mcp.account.things import Thing, labels, listed, objects, sentence, text, things, usable_id
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.catalogue.kinds import IMAGE, INSTANCE, KEY, SCRIPT, VOLUME
from barrack_mcp.catalogue.outcome import Safer
from barrack_mcp.guard.plans.draft import Draft, Inquiry
from barrack_mcp.guard.plans.firewalls import rule_in_words
from barrack_mcp.guard.plans.instances import gpus
from barrack_mcp.guard.plans.spending import FULL_RATE, UNKNOWN_REGION, bought, known_region

_NAMED: Final = (
    ("volume_id", VOLUME),
    ("image_id", IMAGE),
    ("startup_script_id", SCRIPT),
)
"""What a deployment may name by its id: the argument, and its kind."""


async def deploy_instance(inquiry: Inquiry) -> Draft:
    """A new instance costs from when it is ACTIVE."""
    wanted = inquiry.arguments
    async with inquiry.desk.side_by_side() as sheet:
        standing = Standing.ask(sheet)
        regions = sheet.rows("list_regions", {}, "the regions")
        keys = sheet.rows("list_ssh_keys", {}, "the SSH keys")
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
    known_keys = things(KEY, keys.rows, where=lambda row: text(row, "id") in wanted["ssh_key_ids"])
    system = next((text(row, "name") for row in systems.rows if row.get("name") == wanted.get("os_image")), None)
    used = [Thing(kind, named[name].known, asked=wanted[name]) for name, kind in _NAMED if name in named]
    parts = [part for part in (hardware, wanted["tier"], region) if part]
    draft = Draft(
        summary=f"Buy an instance ({', '.join(parts)})",
        target={
            "type": "instance",
            "id": None,
            "name": wanted["name"],
            "gpus": hardware,
            "tier": wanted["tier"],
            "region": region,
            "os_image": system,
            "made_with": [thing.in_words for thing in used],
            "ssh_keys": labels(known_keys),
            "public_ip": wanted.get("public_ip"),
            "security_rules": listed([rule_in_words(rule) for rule in wanted.get("security_rules", [])]),
        },
        bill=[FULL_RATE, *_disk_part(wanted, disk(prices), inquiry.currency)],
        warnings=[
            *_unchecked(wanted, region, system, known_keys, keys),
            *_openings(wanted),
        ],
        safer=_instead(wanted, standing.instances),
        facts={"made_with": [thing.facts for thing in used]},
    )
    if any(single.missing for single in named.values()):
        draft.refusal = (
            "Barrack knows no such volume, image or script as the one named. Nothing was sent; check its id."
        )
    return bought(inquiry, standing, draft, price)


def _unchecked(
    wanted: JsonObject, region: str | None, system: str | None, known_keys: list[Thing], keys: Listing
) -> list[str]:
    """Warn of what the account or Barrack doesn't seem to have."""
    warnings = []
    if region is None:
        warnings.append(UNKNOWN_REGION)
    if "os_image" in wanted and system is None:
        warnings.append("The OS image asked for is not in Barrack's list for this region, as far as it was read.")
    unknown = len(wanted["ssh_key_ids"]) - len(known_keys)
    if keys.complete and unknown:
        warnings.append(f"{unknown} of the SSH keys named are not known to Barrack.")
    return warnings


def _disk_part(wanted: JsonObject, disk: Decimal | None, currency: str) -> list[str]:
    if "os_volume" not in wanted or disk is None:
        return []
    size_gb = wanted["os_volume"]["size_gb"]
    return [f"Of this, its system volume of {size_gb:,} GB is at most {money.write_rate(disk, currency)}."]


def _openings(wanted: JsonObject) -> list[str]:
    """Say what the new instance lets in, and what it runs that is not shown here."""
    warnings = [f"It lets in: {rule_in_words(rule)}." for rule in objects(wanted.get("security_rules"))]
    if "jupyter_password" in wanted:
        warnings.append("It starts Jupyter on port 8888.")
    if "cloud_init" in wanted:
        size = len(wanted["cloud_init"].encode())
        warnings.append(f"At its first boot it runs cloud-init of {size:,} bytes, which are not shown here.")
    return listed(warnings)


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
