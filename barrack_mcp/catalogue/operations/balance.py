"""Balance: the prepaid credit of the account."""

from functools import partial
from typing import Any, Final

from pydantic import model_validator

from barrack_mcp.catalogue.envelope import Costing, Envelope
from barrack_mcp.catalogue.models import Response, answered
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.values import KNOWN_CURRENCIES, Flag, Number, Text, Whole

GROUP: Final = "Balance"

declare = partial(Operation, group=GROUP, toolset=Toolset.ACCOUNT)


class Balance(Response):
    """Prepaid credit: one amount, or one for each currency, as the API has it."""

    amount: Number = answered("Credit left.", "credits", "balance", "available")
    currency: Text = answered("Currency of the amount.")
    by_currency: dict[str, Number] | None = answered("Credit left in each currency, where there are several.")

    @model_validator(mode="before")
    @classmethod
    def _number_or_map(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return {"amount": value}
        amounts = {name: amount for name, amount in value.items() if name in KNOWN_CURRENCIES}
        if not amounts:
            return value
        others = {name: content for name, content in value.items() if name not in amounts}
        return {"by_currency": amounts, **others}


class CreditBalanceResponse(Envelope):
    """The account's credit."""

    balance: Balance | None = answered("Credit left.")


class BurnNow(Response):
    """What all that the account has costs as it stands."""

    currency: Text = answered("Currency of these amounts.")
    hourly: Number = answered("Per hour.")
    monthly: Number = answered("The same over the 730 hours of a month.")
    counted: dict[str, Whole] | None = answered("How many things of each kind are in the sum.")
    unpriced: Whole = answered("How many are not, since nothing tells their price.")
    complete: Flag = answered("Whether that is all.")
    runway_hours: Number = answered("How many hours the credit lasts.")
    ends_at: Text = answered("When it ends, ISO 8601.")


class Burning(Costing):
    """What we say beside a balance."""

    burn: BurnNow | None = answered("What eats the credit.")


OPERATIONS = (
    declare(
        tool="get_credit_balance",
        title="Get credit balance",
        risk=Risk.READ,
        description="Prepaid credit left, what all costs per hour, until when it lasts. At zero, instances hibernate.",
        endpoint=Endpoint("GET", "/balance/", Confidence(95, 45)),
        alternates=elsewhere("GET", "/credits/balance/", "/credit-balance/", "/credits/"),
        response=CreditBalanceResponse,
        result="balance",
        beside=Burning,
        core=True,
        billing="Credit is prepaid, one balance per currency; when it runs out, running instances are hibernated.",
    ),
)
