"""Spending: what all costs, how long the credit lasts, and what could be saved."""

from typing import Final

from barrack_mcp.catalogue.answers.billing import SpentBetween
from barrack_mcp.catalogue.envelope import Beside
from barrack_mcp.catalogue.insights.insight import Insight
from barrack_mcp.catalogue.models import JsonObject, Request, Response, answered, optional
from barrack_mcp.catalogue.operation import Risk
from barrack_mcp.catalogue.values import CurrencyEnum, Flag, Number, Text, Texts, Whole


class SpendingRequest(Request):
    """In which currency."""

    currency: CurrencyEnum | None = optional("Default: the settings'.")


class Share(Response):
    """What some of the account's things cost together, as they stand."""

    name: Text = answered("What they have in common.")
    things: Whole = answered("How many of them are in the sum.")
    unpriced: Whole = answered("How many are not, since nothing tells their price.")
    hourly: Number = answered("Per hour.")
    monthly: Number = answered("The same over the 730 hours of a month.")


class Burn(Response):
    """What all costs, and the same taken apart."""

    things: Whole = answered("How many of them are in the sum.")
    unpriced: Whole = answered("How many are not, since nothing tells their price.")
    hourly: Number = answered("Per hour.")
    monthly: Number = answered("The same over the 730 hours of a month.")
    by_kind: list[Share] | None = answered("By kind of thing.")
    by_tier: list[Share] | None = answered("By tier.")
    by_region: list[Share] | None = answered("By region.")
    by_gpu: list[Share] | None = answered("Instances by GPU model.")
    by_state: list[Share] | None = answered("Instances by state.")


class Runway(Response):
    """How long the credit lasts if all stays as it is."""

    hours: Number = answered("Hours from now; absent if unknown, or if nothing is spent.")
    ends_at: Text = answered("When it ends, ISO 8601.")


class Credit(Response):
    """The credit that pays for all this."""

    amount: Number = answered("Credit left.")
    currency: Text = answered("Its currency.")


class Call(Response):
    """A call, ready to be made."""

    tool: Text = answered("Tool.")
    arguments: JsonObject | None = answered("Its arguments.")


class IdleThing(Response):
    """Something that costs and seems to be of no use."""

    type: Text = answered("Kind of thing.")
    id: Text = answered("Its id.")
    name: Text = answered("Its name.")
    status: Text = answered("Its state.")
    region: Text = answered("Its region.")
    why: Text = answered("What makes it seem so.")
    saves_hourly: Number = answered("What ending that saves per hour.")
    saves_monthly: Number = answered("The same over the 730 hours of a month.")
    calls: list[Call] | None = answered("The calls that do it, in their order.")


class SpentSoFar(Response):
    """What was billed, by when."""

    today: SpentBetween | None = answered("Since midnight UTC.")
    this_month: SpentBetween | None = answered("Since its first midnight UTC.")
    all_time: SpentBetween | None = answered("Of all rows of all bills.")


class SpendingOverview(Beside):
    """What all costs and how long it can go on."""

    currency: Text = answered("Currency of all amounts but those that bear their own.")
    complete: Flag = answered("Whether all that costs was read, and has a known price.")
    unread: Texts = answered("What could not be read, or how far it was.")
    burn: Burn | None = answered("What all costs as it stands.")
    balance: Credit | None = answered("Credit left.")
    runway: Runway | None = answered("How long it lasts.")
    spent: SpentSoFar | None = answered("What was spent.")
    idle: list[IdleThing] | None = answered("What costs and seems to be of no use, what saves most first.")
    savings: Share | None = answered("What ending all of that saves.")


INSIGHTS: Final = (
    Insight(
        tool="get_spending_overview",
        title="Get spending overview",
        risk=Risk.READ,
        description="What all costs per hour and month, by kind, tier, region, GPU, state; until when credit lasts; "
        "spent today and this month; what is idle, with calls that save.",
        arguments=SpendingRequest,
        response=SpendingOverview,
        core=True,
    ),
)
