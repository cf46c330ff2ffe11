"""What a call would do, for every operation that may ask: made from what the server itself reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from barrack_mcp.account.desk import SECONDS, Beside, Binding, Desk
from barrack_mcp.account.reading import Reader
from barrack_mcp.account.things import sentence
from barrack_mcp.catalogue import OPERATIONS, JsonObject, Operation
from barrack_mcp.guard.plans import firewalls, images, instances, keys, scripts, snapshots, volumes
from barrack_mcp.guard.plans.draft import (
    Draft,
    Inquiry,
    Known,
    NotThereError,
    Planned,
    not_found,
)
from barrack_mcp.guard.plans.openings import may_open
from barrack_mcp.guard.plans.spending import deploy, restoring, storage

__all__ = ["PLANNERS", "Binding", "Known", "Planned", "may_open", "plan"]

Planner: TypeAlias = Callable[[Inquiry], Awaitable[Draft]]


def by_tool(*planners: Planner) -> Mapping[str, Planner]:
    """Key planners by the tools they are named after, and see that each operation that needs one has one.

    Raises:
        TypeError: One is missing, or nobody needs it; the sentence names it.
    """
    found = {planner.__name__: planner for planner in planners}
    needed = {operation.tool for operation in OPERATIONS if operation.plans}
    if missing := needed - found.keys():
        raise TypeError(f"{', '.join(sorted(missing))} may ask a person and has no planner of its name in guard/plans")
    if unused := found.keys() - needed:
        raise TypeError(f"{', '.join(sorted(unused))}: a planner for an operation that has none to ask")
    return MappingProxyType(found)


PLANNERS: Final = by_tool(
    deploy.deploy_instance,
    instances.start_instance,
    instances.stop_instance,
    instances.reboot_instance,
    instances.hibernate_instance,
    restoring.restore_instance,
    instances.delete_instance,
    instances.toggle_instance_public_ip,
    firewalls.add_instance_security_rule,
    firewalls.remove_instance_security_rule,
    keys.delete_ssh_key,
    storage.create_volume,
    volumes.attach_volumes,
    volumes.detach_volumes,
    storage.clone_volume,
    storage.resize_volume,
    volumes.delete_volume,
    scripts.update_startup_script,
    scripts.delete_startup_script,
    scripts.bulk_delete_startup_scripts,
    storage.create_snapshot,
    restoring.restore_snapshot,
    snapshots.delete_snapshot,
    images.create_custom_image,
    images.delete_custom_image,
    firewalls.add_firewall_rule,
    firewalls.remove_firewall_rule,
    firewalls.attach_firewall,
    firewalls.delete_firewall,
)
"""What finds out about each operation, by the name of its tool."""


async def plan(
    operation: Operation,
    arguments: JsonObject,
    *,
    read: Reader,
    currency: str,
    now: float,
    seconds: float = SECONDS,
    binding: Binding = Binding.NOT_YET,
    known: Known = Known(),  # noqa: B008 - frozen
    beside: Beside | None = None,
) -> Planned:
    """Find out what a call would do, and say it.

    Args:
        operation: What would be done; one of `PLANNERS`.
        arguments: Its validated arguments.
        read: Sends one read operation and presents its answer.
        currency: Currency of prices: USD, EUR or INR.
        now: Unix seconds, for ages.
        seconds: Time for all reads but the target's; what is not read by then is a warning.
        binding: Which reads are made. Of what binds alone there is no plan to show, but the same `fingerprint` as
            before unless something changed in between.
        known: What we know ourselves, and the API doesn't.
        beside: Reads what else is wanted, at the same time and by the same reader.

    Returns:
        The plan with what binds it.

    Raises:
        ApiError: The target could not be read.
        KeyError: The operation never asks.
    """
    desk = Desk(read, seconds=seconds, binding=binding, deeds=known.deeds, beside=beside)
    inquiry = Inquiry(operation, arguments, desk, currency, now, known)
    try:
        draft = await PLANNERS[operation.tool](inquiry)
    except NotThereError as error:
        draft = not_found(error.thing)
    # where a text is overwritten, who wrote it stands in the summary already
    if draft.refusal is None and operation.replaces is None:
        ours = await inquiry.tell_last_changes(draft.things)
        told = {thing.in_words: ours[thing.key] for thing in draft.things if thing.key in ours}
        draft.warnings[:0] = [f"{sentence(words)} was {change}." for words, change in told.items()]
    if known.brought:
        draft.warnings.insert(0, _BROUGHT)
    return draft.planned(inquiry)


_BROUGHT: Final = "It is for the account of an API key that the caller brought, not for that of this server's own key."
