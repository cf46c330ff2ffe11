"""Purchases to the letter: every fact, figure, name, argument and warning, for each state of the target."""

from __future__ import annotations

import inspect
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from barrack_mcp.account.desk import Binding, Desk, Single
from barrack_mcp.account.reading import Listing, listing_of
from barrack_mcp.account.things import Thing
from barrack_mcp.catalogue import BY_TOOL, JsonObject
from barrack_mcp.catalogue.kinds import INSTANCE, SNAPSHOT, VOLUME
from barrack_mcp.catalogue.outcome import Cost, Plan
from barrack_mcp.guard.exposure import Ingress, opened, read_rules
from barrack_mcp.guard.plans import PLANNERS, Planned, plan
from barrack_mcp.guard.plans.draft import Draft, Inquiry, NotThereError, name_all, require
from barrack_mcp.guard.plans.openings import may_open, rules_of, rules_of_others, tell_openings
from barrack_mcp.guard.plans.states import refuse_by_state, refuse_if_going, refuse_unfinished
from tests.plans.asking import Bend, Room, room
from tests.plans.bending import (
    ARCHIVE,
    CANADA,
    CHECKPOINTS,
    COLD,
    FINLAND,
    INFER,
    NORWAY,
    SSH,
    TRAIN,
    TRAIN_BASE,
    WEB,
    rule,
    with_instance,
    with_snapshot,
    with_volume,
)
from tests.plans.lettering import LETTERS, REMAKE, Case, by_tool, hold_to_letters, letter

pytestmark = pytest.mark.anyio


def with_stock(*rows: JsonObject) -> dict[str, Bend]:
    return {"list_gpu_stock": lambda answer: answer.update(stocks=list(rows), total=len(rows))}


def with_regions(*rows: JsonObject) -> dict[str, Bend]:
    return {"list_regions": lambda answer: answer.update(regions=list(rows), total=len(rows))}


def with_origin(number: int, **fields: Any) -> dict[str, Bend]:
    """The list of instances with the one that the snapshot was taken of so many times, and these fields of it."""

    def change(answer: JsonObject) -> None:
        answer["instances"] = [
            row | fields if row["instance_id"] == TRAIN else row
            for row in answer["instances"]
            for _ in range(number if row["instance_id"] == TRAIN else 1)
        ]
        answer["total"] += number - 1

    return {"list_instances": change}


def without_ids(answer: JsonObject) -> None:
    """Name the instances of a list by another field than the one that a snapshot names them by."""
    for row in answer["instances"]:
        row["id"] = row.pop("instance_id")


def in_stock(region: str, model: str = "A100-PCIe-80GB", **fields: Any) -> JsonObject:
    return {"region": region, "gpu_model": model, "configurations": None, **fields}


NO_GPUS: JsonObject = {"gpu_type": None, "gpu_count": None}


def restore(bent: dict[str, Bend] | None = None, *failing: str) -> Case:
    return Case("restore_instance", {"instance_id": ARCHIVE}, bent or {}, failing)


def snap(bent: dict[str, Bend] | None = None, *failing: str, of: str = TRAIN) -> Case:
    return Case("create_snapshot", {"instance_id": of, "name": "fresh-1"}, bent or {}, failing)


def make(bent: dict[str, Bend] | None = None, *failing: str) -> Case:
    return Case("restore_snapshot", {"snapshot_id": TRAIN_BASE, "name": "fresh-1"}, bent or {}, failing)


def copy(bent: dict[str, Bend] | None = None, *, of: str = COLD) -> Case:
    return Case("clone_volume", {"volume_id": of, "name": "fresh-1"}, bent or {})


def grow(size_gb: int, bent: dict[str, Bend] | None = None, *failing: str, of: str = COLD) -> Case:
    return Case("resize_volume", {"volume_id": of, "size_gb": size_gb}, bent or {}, failing)


def buy(bent: dict[str, Bend] | None = None, *failing: str) -> Case:
    wanted = {"name": "fresh-1", "region": CANADA, "size_gb": 1500, "volume_type": "SSD", "tier": "legacy"}
    return Case("create_volume", wanted, bent or {}, failing)


CASES: dict[str, Case] = {
    "restore an instance that sleeps": restore(),
    "restore one that bears an address": restore(with_instance(public_ip="198.18.0.99")),
    "restore one of no known state": restore(with_instance(status="")),
    "restore one of an unheard-of state": restore(with_instance(status="UNHEARD_OF", operations=None)),
    "restore one that the API lets be restored by a list": restore(
        with_instance(status="SHUTOFF", operations={"restore": False, "allowed": ["restore"]})
    ),
    "restore one whose state forbids it and whose operations are none": restore(
        with_instance(status="SHUTOFF", operations=None) | with_stock(in_stock(NORWAY, available="0"))
    ),
    "restore one whose allowed operations are others": restore(
        with_instance(status="SHUTOFF", operations={None: True, "allowed": ["start"]})
    ),
    "restore one on its way at an unknown price": restore(
        with_instance(status="STARTING", gpu_type="UNHEARD-OF", operations=None)
    ),
    "restore one of which there are none here": restore(
        with_stock(
            in_stock(NORWAY, available="0"),
            in_stock(CANADA, available="1"),
            in_stock(FINLAND, available="20+"),
            in_stock("US-1", available="0"),
            in_stock("US-2", available="0", configurations=[{"gpu_count": 1, "available": "5+"}]),
            in_stock(NORWAY, "A40", available="7"),
        )
    ),
    "restore one of which nobody can say how many there are": restore(with_stock(in_stock(NORWAY, available="0X"))),
    "restore one of whose size nobody can say how many there are": restore(
        with_stock(in_stock(NORWAY, available="0", configurations=[{"gpu_count": 1, "available": "0X"}]))
    ),
    "restore one of unknown size of which there are none": restore(
        with_instance(gpu_count=None) | with_stock(in_stock(NORWAY, available="0"))
    ),
    "restore one whose model bears the other name": restore(
        with_instance(gpu_type=None, gpu_model="A100-PCIe-80GB") | with_stock(in_stock(NORWAY, available="0"))
    ),
    "restore one of no known model": restore(
        with_instance(gpu_type=None) | with_stock(in_stock(NORWAY, "A40", available="0"))
    ),
    "restore one with doors that stand open": restore(with_instance(security_rules=[SSH, WEB])),
    "restore one without its prices": restore({}, "get_pricing"),
    "restore one that the price list does not hold": restore(with_instance(gpu_type="UNHEARD-OF")),
    "restore one that the answer is without": restore({"get_instance": lambda _: {"instance": None}}),
    "restore one without a name": restore(with_instance(vm_name=None)),
    "snapshot of an instance that runs": snap(),
    "snapshot of one of no known state or tier": snap(with_instance(status="", tier=None)),
    "snapshot of one of an unheard-of state": snap(with_instance(status="UNHEARD_OF", operations=None)),
    "snapshot of one that is shut off": snap(with_instance(status="SHUTOFF", operations=None)),
    "snapshot of one that is shut off and allows it": snap(
        with_instance(status="SHUTOFF", operations={"create_snapshot": True})
    ),
    "snapshot of one that sleeps, without prices": snap(
        with_instance(status="HIBERNATED", operations=None), "get_pricing"
    ),
    "snapshot of one of the advanced tier": snap(of=INFER),
    "instance from a snapshot": make(),
    "instance from a snapshot in the making": make(with_snapshot(status="CREATING")),
    "instance from a snapshot that failed": make(with_snapshot(status="FAILED")),
    "instance from a snapshot of an unheard-of state": make(with_snapshot(status="UNHEARD_OF")),
    "instance from a snapshot of the advanced tier": make(
        with_snapshot(tier="advanced", gpu_type="H100-SXM5-80GB", region=FINLAND)
    ),
    "instance from a snapshot of one that sleeps and is listed twice": make(with_origin(2, status="HIBERNATED")),
    "instance from a snapshot of one that is gone": make(with_origin(0)),
    "instance from a snapshot that does not say of which": make(
        with_snapshot(instance_id=None) | {"list_instances": without_ids}
    ),
    "instance from a snapshot of one that is not read": make({}, "list_instances"),
    "instance from a snapshot with its own rules": make(with_snapshot(security_rules=[SSH])),
    "instance from a snapshot of one with open doors": make(with_origin(1, security_rules=[WEB])),
    "instance from a snapshot that says half of its GPUs": make(with_snapshot(gpu_type="A40", gpu_count=None)),
    "instance from a snapshot whose GPUs its bill tells": make(with_snapshot(**NO_GPUS) | with_origin(0)),
    "instance from a snapshot whose GPUs nobody tells": make(
        with_snapshot(**NO_GPUS) | with_origin(0), "get_instance_billing"
    ),
    "instance from a snapshot where there are none": make(
        with_stock(in_stock(CANADA, "RTX-A6000", available="0"), in_stock(NORWAY, "A40", available="9"))
    ),
    "volume": buy(),
    "volume in a region known by its name": buy(with_regions({"name": "ELSEWHERE"}, {"name": CANADA})),
    "volume in a region known by its code": buy(with_regions({"code": "ELSEWHERE"}, {"code": CANADA})),
    "volume in a region that is not listed": buy(with_regions({"name": "ELSEWHERE"})),
    "volume without prices": buy({}, "get_pricing"),
    "copy of a volume": copy(),
    "copy of a volume of the legacy tier": copy(of=CHECKPOINTS),
    "copy of a volume of no known tier": copy(with_volume(tier=None)),
    "volume that grows": grow(1500),
    "volume of the legacy tier that grows": grow(300, of=CHECKPOINTS),
    "volume of unknown size that grows": grow(1500, with_volume(size_gb=None)),
    "volume that would shrink": grow(500),
    "volume that would shrink at an unknown price": grow(500, {}, "get_pricing"),
    "volume that would shrink and has an odd name": grow(500, with_volume(volume_name="a/b")),
    "volume that would stay as it is": grow(1000),
}


TABLES = by_tool(CASES)


@pytest.mark.parametrize("tool", TABLES)
async def test_each_purchase_says_what_its_letter_holds(tool: str, pytestconfig: pytest.Config) -> None:
    await hold_to_letters(tool, TABLES[tool], remake=pytestconfig.getoption(REMAKE))


def test_each_tool_that_plans_has_its_letters() -> None:
    assert {file.stem for file in LETTERS.iterdir()} == {*PLANNERS}


async def test_a_letter_misses_no_field_of_a_plan_or_of_what_the_guard_makes_of_it() -> None:
    """Beside the fingerprint, which stands for facts that are held below."""
    fields = {*Plan.model_fields, *Planned.__dataclass_fields__} - {"plan", "fingerprint", "runway_hours_after"}
    source = inspect.getsource(letter)
    assert [name for name in fields if name not in source] == []


def inquiring(asked: Room, *, binding: Binding = Binding.NOT_YET) -> Inquiry:
    return Inquiry(BY_TOOL["delete_volume"], {}, Desk(asked, seconds=2.0, binding=binding), "USD", 0.0)


async def print_of(asked: Room, **more: Any) -> str:
    return Draft(summary="Do it.", target={}, **more).planned(inquiring(asked)).fingerprint


async def test_a_yes_hangs_on_each_fact_and_on_each_thing_that_stays_and_on_no_order() -> None:
    one, other = Thing(VOLUME, {"volume_id": "BRK-1V"}), Thing(VOLUME, {"volume_id": "BRK-2V"})
    async with room() as asked:
        unlike = [
            await print_of(asked),
            await print_of(asked, staying=[one]),
            await print_of(asked, staying=[other]),
            await print_of(asked, staying=[one, other]),
            await print_of(asked, facts={"size": 1, "price": Decimal("0.1")}),
            await print_of(asked, facts={"size": 2, "price": Decimal("0.1")}),
            await print_of(asked, facts={"size": 1, "price": Decimal("0.2")}),
        ]
        assert len({*unlike}) == len(unlike)
        assert await print_of(asked, facts={"price": Decimal("0.1"), "size": 1}) == unlike[4]
        assert await print_of(asked, staying=[other, one]) == unlike[3]


async def test_a_yes_to_an_instance_from_a_snapshot_hangs_on_its_gpus_even_if_the_price_is_the_same() -> None:
    async def print_with(number: int = 1, **fields: Any) -> str:
        asked.bent = {**with_snapshot(**fields), **with_origin(number), "get_pricing": free}
        return (await asked.plan("restore_snapshot", snapshot_id=TRAIN_BASE, name="fresh-1")).fingerprint

    async with room() as asked:
        usual = await print_with()
        assert usual == await print_with(2)
        unlike = [
            usual,
            await print_with(0),
            await print_with(gpu_count=2),
            await print_with(gpu_type="A100-PCIe-80GB"),
        ]
        assert len({*unlike}) == len(unlike)


def free(answer: JsonObject) -> None:
    """Make all GPUs cost nothing, so that only they tell one machine from another."""

    def emptied(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: emptied(each) for name, each in value.items()}
        if isinstance(value, list):
            return [emptied(each) for each in value]
        return 0 if isinstance(value, float) else value

    answer.update(emptied(answer))


def planned_at(total: float | None) -> Planned:
    cost = Cost(currency="USD", account_hourly_after=total)
    plan = Plan(summary="Do it.", risk=BY_TOOL["create_volume"].risk, target={}, cost=cost)
    return Planned(plan=plan, must_type="", protected_by=(), fingerprint="same")


def test_a_sum_is_as_shown_if_it_is_so_to_the_cent() -> None:
    alike = [(1.0, 1.0), (1.01, 1.0), (1.01004, 1.0), (1.0, 1.01), (None, None)]
    unlike = [(1.0101, 1.0), (0.98, 1.0), (None, 1.0), (1.0, None)]
    for now, shown in [*alike, *unlike]:
        assert planned_at(now).is_as_shown("same", shown) is ((now, shown) in alike)
        assert not planned_at(now).is_as_shown("another", shown)


def test_what_the_answer_is_without_is_named_by_its_kind() -> None:
    with pytest.raises(NotThereError, match=r"^volume$"):
        require(Single(), VOLUME, COLD)


@pytest.mark.parametrize("binding", Binding)
async def test_what_is_known_by_its_id_alone_is_looked_up_whatever_else_is_left_out(binding: Binding) -> None:
    bare = Thing(VOLUME, {"volume_id": COLD, "odd": 1}, asked=COLD)
    known, odd = Thing(VOLUME, {"volume_id": "BRK-1V", "volume_name": "mine"}), Thing(VOLUME, {"volume_id": "../x"})
    async with room() as asked:
        (alone,) = await name_all(inquiring(asked, binding=binding), [bare])
        assert (alone.name, alone.asked, alone.row["odd"]) == ("cold-store", COLD, 1)
        asked.reads.clear()
        assert await name_all(inquiring(asked, binding=binding), [known, bare, odd]) == [known, alone, odd]
        assert asked.reads == [("get_volume", {"volume_id": COLD})]
        asked.failing = frozenset({"get_volume"})
        asking = inquiring(asked, binding=binding)
        assert await name_all(asking, [bare]) == [bare]
        assert asking.desk.unread == [f"Could not be read: volume {COLD}."]


async def test_a_bill_that_tells_the_gpus_is_asked_for_by_the_id_and_again_before_it_is_done() -> None:
    bent = with_snapshot(**NO_GPUS) | with_origin(0)
    async with room(bent=bent) as asked:
        asked_as = {"snapshot_id": TRAIN_BASE, "name": "fresh-1"}
        shown = await asked.plan_exactly("restore_snapshot", asked_as)
        asked.reads.clear()
        tool = BY_TOOL["restore_snapshot"]
        alone = await plan(tool, asked_as, read=asked, currency="USD", now=0.0, binding=Binding.ALONE)
        assert ("get_instance_billing", {"instance_id": TRAIN}) in [
            (name, {key: value for key, value in arguments.items() if key not in ("page", "limit")})
            for name, arguments in asked.reads
        ]
        assert shown.fingerprint == alone.fingerprint


def firewall(at: str, *rules: JsonObject, **more: Any) -> JsonObject:
    return {"id": at, "name": at, "rules": list(rules), **more}


def firewalls(*rows: JsonObject) -> Listing:
    return listing_of("list_firewalls", {"firewalls": list(rows), "total": len(rows)})


(CERTAIN,) = read_rules([SSH])
PERHAPS = replace(CERTAIN, certain=False)
(OTHER,) = read_rules([WEB])


@pytest.mark.parametrize(
    ("told", "rules"),
    [
        ({}, [CERTAIN]),
        ({"status": "attached"}, [CERTAIN]),
        ({"status": ""}, [CERTAIN]),
        ({"status": "DETACHING"}, [PERHAPS]),
    ],
)
def test_rules_of_a_firewall_that_may_not_be_attached_are_uncertain(told: JsonObject, rules: list[Ingress]) -> None:
    assert rules_of({"security_rules": [WEB]}, firewalls(firewall("FW-1", SSH, **told))) == [OTHER, *rules]
    bond = {"instance_id": "brk-1d", **told}
    around = firewalls(
        firewall("FW-1", WEB, attachments=[bond]),
        firewall("FW-2", SSH, attachments=[bond]),
        firewall("FW-3", SSH, attachments=[{"instance_id": "BRK-9D"}]),
        firewall("FW-4", WEB),
        firewall("FW-5", WEB, attachments=[{"status": "ACTIVE"}]),
    )
    instance = Thing(INSTANCE, {"instance_id": "BRK-1D"}, asked="7")
    but = Thing(INSTANCE, {"instance_id": "FW-1"})
    unsure = replace(OTHER, certain=False)
    assert rules_of_others(instance, around, but=but) == [*rules, unsure, unsure]


def test_a_rule_may_open_something_unless_it_lets_nobody_in() -> None:
    assert may_open("add_firewall_rule", SSH)
    assert may_open("add_instance_security_rule", SSH)
    assert not may_open("add_firewall_rule", rule("10.0.0.0/8", 22, 22))
    assert not may_open("stop_instance", SSH)


@pytest.mark.parametrize(
    ("number", "rest"),
    [
        (8, []),
        (9, ["no more than these on 1 other ranges of ports of it"]),
        (10, ["no more than these on 2 other ranges of ports of it"]),
    ],
)
def test_the_widest_openings_are_told_and_the_rest_is_counted(number: int, rest: list[str]) -> None:
    doors = [rule("20.0.0.0/15", port, port) for port in range(1000, 1000 + 10 * (number - 1), 10)]
    told = tell_openings(opened([], read_rules([*doors, rule("0.0.0.0/0", 2000, 2000)])), "it")
    narrow = " and ".join(f"tcp {port}" for port in range(1000, 1070, 10))
    assert told == [
        "everyone (all IPv4 addresses) on tcp 2000 of it",
        f"131,072 public IPv4 addresses on {narrow} of it",
        *rest,
    ]


@pytest.mark.parametrize("status", ["CREATING", "ERROR", "FAILED", "DELETING", "DELETED", "PENDING", "saving"])
@pytest.mark.parametrize("costs", ["0.10 USD an hour", None])
def test_what_is_not_finished_is_refused_with_what_it_costs(status: str, costs: str | None) -> None:
    draft = Draft(summary="Make it.", target={})
    refuse_unfinished(draft, Thing(SNAPSHOT, {"snapshot_id": "BRK-1S", "status": status}), "restoring", costs=costs)
    waits = status.upper() in ("CREATING", "PENDING", "SAVING")
    assert draft.refusal == (
        f"Not done: snapshot without a name (BRK-1S) is {status}, and restoring needs a complete one."
        f"{' It costs 0.10 USD an hour as it stands.' if costs else ''} Nothing was sent; "
        f"{'wait until it is complete' if waits else 'use another one'}."
    )
    (safer,) = draft.safer
    assert (safer.tool, safer.arguments) == ("get_snapshot", {"snapshot_id": "BRK-1S"})
    assert safer.why == ("It shows when it is complete." if waits else "It shows whether it can still be used.")


@pytest.mark.parametrize("status", ["SUCCESS", "available", "", None, "UNHEARD_OF"])
def test_what_is_finished_or_may_be_is_not_refused(status: str | None) -> None:
    draft = Draft(summary="Make it.", target={})
    refuse_unfinished(draft, Thing(SNAPSHOT, {"snapshot_id": "BRK-1S", "status": status}), "restoring")
    assert (draft.refusal, draft.safer) == (None, [])


@pytest.mark.parametrize("status", ["DELETING", "DELETED"])
def test_an_id_that_no_tool_takes_is_offered_to_none(status: str) -> None:
    draft = Draft(summary="Delete it.", target={})
    refuse_if_going(draft, Thing(INSTANCE, {"instance_id": "../x", "status": status}))
    assert draft.safer == []
    assert f"is {status} already" in str(draft.refusal)


NOT_TOLD: list[object] = [None, ["stop"], {}, {None: True}, {"stop": "yes"}, {"allowed": "stop"}]
TOLD: list[object] = [{"stop": True}, {"allowed": ["stop"]}]


@pytest.mark.parametrize("operations", [*NOT_TOLD, *TOLD], ids=str)
def test_only_what_the_api_names_as_allowed_passes_its_state(operations: object) -> None:
    draft = Draft(summary="Stop it.", target={})
    row = {"instance_id": "BRK-1D", "vm_name": "one", "status": "SHUTOFF", "operations": operations}
    refuse_by_state(draft, Thing(INSTANCE, row), "stop", costs=None)
    refused = (
        "Not done: Instance «one» (BRK-1D) is SHUTOFF, and to stop it wants ACTIVE. Nothing was sent. Once it is "
        "ACTIVE it can be hibernated, which ends the full rate. (Tool: start_instance.)"
    )
    assert draft.refusal == (refused if operations in NOT_TOLD else None)
