"""Balance: the prepaid credit of the account."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from barrack_mcp.catalogue.envelope import Answer
from barrack_mcp.catalogue.models import Response, answered
from barrack_mcp.catalogue.operation import Confidence, Operation, Retry, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.values import KNOWN_CURRENCIES, Number, Text

GROUP = "Balance"


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


class CreditBalanceResponse(Answer):
    """The account's credit."""

    balance: Balance | None = answered("Credit left.")


OPERATIONS = (
    Operation(
        tool="get_credit_balance",
        title="Get credit balance",
        group=GROUP,
        toolset=Toolset.ACCOUNT,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="Prepaid credit left, by currency. At zero, running instances are hibernated.",
        method="GET",
        path="/balance/",
        confidence=Confidence(method=95, path=45),
        alternates=elsewhere("GET", "/credits/balance/", "/credit-balance/", "/credits/"),
        response=CreditBalanceResponse,
        result="balance",
        idempotent=True,
        core=True,
        billing="Credit is prepaid, one balance per currency; when it runs out, running instances are hibernated.",
    ),
)
