"""An outcome says who agreed, and what waits for a person says where, how and until when they answer."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from barrack_mcp.catalogue import JsonObject
from barrack_mcp.guard.approvals import ON_THE_PAGE
from tests.support.house import Person, house, says_yes

pytestmark = pytest.mark.anyio


async def approved_out_of_band(by: str) -> JsonObject:
    async with house() as made:
        arguments = made.good("delete_volume")
        waiting = await made.call("delete_volume", **arguments)
        asked = await made.approvals.find(waiting["approval"]["id"])
        await made.approvals.approve(asked.id, by=by, typed=asked.must_type)
        return await made.call("delete_volume", **arguments)


@pytest.mark.promise("A3")
@pytest.mark.parametrize("by", [ON_THE_PAGE, "local:7 at a terminal"])
async def test_a_yes_out_of_band_is_told_with_who_gave_it_and_where(by: str) -> None:
    outcome = await approved_out_of_band(by)
    way, place = ("page", "on the approval page") if by == ON_THE_PAGE else ("terminal", "at a terminal")
    assert (outcome["confirmed"]["how"], outcome["confirmed"]["by"]) == (way, by)
    assert f"A person approved it {place}." in outcome["message"]
    assert outcome["confirmed"]["at"].endswith("+00:00")


@pytest.mark.promise("A3")
@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_a_yes_through_the_client_is_told_as_such(era: str) -> None:
    async with house(era=era, person=Person(says_yes)) as made:
        outcome = await made.call("delete_volume", **made.good("delete_volume"))
        assert outcome["outcome"] == "done"
        assert outcome["confirmed"]["how"] == "elicited"
        assert "A person approved it, asked through the client." in outcome["message"]


@pytest.mark.promise("A3")
async def test_where_nobody_was_asked_no_person_is_said_to_have_agreed() -> None:
    async with house(unattended=["destroy"]) as made:
        told = {
            "unattended": await made.call("delete_volume", **made.good("delete_volume")),
            "not_needed": await made.call("create_startup_script", name="fresh", script="date"),
        }
        for way, outcome in told.items():
            assert outcome["confirmed"] == {"how": way}
            assert "Nobody was asked" in outcome["message"]
            assert "approved" not in outcome["message"]


async def test_what_the_api_refuses_after_a_yes_still_says_who_agreed() -> None:
    async with house(person=Person(says_yes)) as made:
        made.play({"method": "DELETE", "action": "status", "status": 409, "times": 9})
        outcome = await made.call("delete_volume", **made.good("delete_volume"))
        assert (outcome["outcome"], outcome["confirmed"]["how"]) == ("failed", "elicited")


async def test_what_was_not_sent_says_nothing_of_a_yes() -> None:
    async with house() as made:
        refused = await made.call("delete_volume", volume_id="no-such-volume")
        assert refused["outcome"] == "refused"
        assert "confirmed" not in refused


@pytest.mark.promise("A3")
async def test_what_waits_says_where_and_until_when_and_that_the_chat_does_not_count() -> None:
    async with house() as made:
        waiting = await made.call("delete_volume", **made.good("delete_volume"))
        again = await made.call("delete_volume", **made.good("delete_volume"))
        for outcome in (waiting, again):
            message = outcome["message"]
            assert "A yes in the chat doesn't count." in message
            assert "with barrack-mcp approvals in a terminal on the machine that runs this server" in message
            assert re.search(r"waits for 10 minutes, until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", message)
            assert outcome["approval"]["id"] in message
            assert "BARRACK_" not in message
        made.clock.at += 570
        later = await made.call("delete_volume", **made.good("delete_volume"))
        assert "waits for 30 seconds, until" in later["message"]


@pytest.mark.parametrize(
    ("limit", "named"),
    [({"max_hourly_cost": Decimal("0.5")}, "(0.5 USD)"), ({"min_runway_hours": Decimal(9000)}, "(9000 hours)")],
)
async def test_a_purchase_past_the_operators_limit_is_refused_with_the_limit_and_without_what_is_not_so(
    limit: dict[str, Any], named: str
) -> None:
    async with house(**limit) as made:
        outcome = await made.call("create_volume", **made.good("create_volume"))
        assert (outcome["outcome"], made.effects) == ("refused", [])
        assert named in outcome["message"]
        assert "can't be told" not in outcome["message"]
        assert "BARRACK_" not in outcome["message"]
