"""What a call came to: the one shape in which everything that is no read answers."""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from barrack_mcp.catalogue import JsonObject, Risk

Ending: TypeAlias = Literal["done", "approval_required", "refused", "failed", "unknown"]

ERRORS: frozenset[Ending] = frozenset({"refused", "failed", "unknown"})
"""The verdicts that the client sees as an error."""


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Safer(_Shape):
    """A gentler way to what the caller probably wants."""

    tool: str = Field(description="Tool to use instead.")
    arguments: JsonObject = Field(description="Its arguments.")
    why: str = Field(description="What is better about it.")


class Cost(_Shape):
    """What the target costs, before and after."""

    currency: str = Field(description="USD, EUR or INR.")
    hourly_now: float | None = Field(None, description="Per hour now.")
    hourly_after: float | None = Field(None, description="Per hour afterwards.")
    spent_so_far: float | None = Field(None, description="Spent on it until now.")
    account_hourly_after: float | None = Field(
        None, description="All of the account per hour afterwards, as far as known."
    )


class Plan(_Shape):
    """What a call would do, made from what the server itself read."""

    summary: str = Field(description="What would happen, in a sentence.")
    risk: Risk = Field(description="Kind of risk.")
    target: JsonObject = Field(description="What it would happen to: type, id, name, status and more.")
    cost: Cost | None = Field(None, description="What it costs.")
    opens: list[str] = Field(default_factory=list, description="Whom it opens to: keys, addresses, ranges, ports.")
    gained: list[str] = Field(default_factory=list, description="What others would get by it.")
    runs: list[str] = Field(default_factory=list, description="What would run by it.")
    lost: list[str] = Field(default_factory=list, description="What would be gone for good.")
    uncertain: list[str] = Field(default_factory=list, description="What may be gone; nobody can tell.")
    bill: list[str] = Field(default_factory=list, description="What it does to the bill, and how long credit lasts.")
    kept: list[str] = Field(default_factory=list, description="What would stay.")
    warnings: list[str] = Field(default_factory=list, description="What is easily overlooked.")
    safer: list[Safer] = Field(default_factory=list, description="Gentler ways.")

    @property
    def total(self) -> float | None:
        """What all of the account would cost per hour after a purchase; None where nothing is bought."""
        return self.cost.account_hourly_after if self.cost is not None else None


class Bill(_Shape):
    """What a call does to the bill."""

    model_config = ConfigDict(extra="allow")

    note: str | None = Field(None, description="How the bill runs now.")
    hourly_rate: float | None = Field(None, description="What it costs per hour from now on, or once ACTIVE.")
    currency: str | None = Field(None, description="USD, EUR or INR.")


class LookWith(_Shape):
    """The read that shows what took place."""

    tool: str = Field(description="Tool to look with.")
    arguments: JsonObject = Field(description="Its arguments.")


class Settled(_Shape):
    """How a thing stood when the waiting for it ended."""

    ended: Literal["there", "failed", "elsewhere", "gone", "late", "unread"] = Field(
        description="there; failed: it will not be; elsewhere: it stays in another state; gone: there is none any "
        "more; late: it is still on its way; unread: nobody can tell."
    )
    status: str | None = Field(None, description="Its state by then.")
    seconds: int = Field(description="How long was waited.")
    public_ip: str | None = Field(None, description="Its public IP by then.")


class Pending(_Shape):
    """A request that a person can approve."""

    id: str = Field(description="Id of the request.")
    expires_at: str = Field(description="When it lapses, ISO 8601.")


_TOLD_ONCE: Final = WithJsonSchema({"type": "object"})
"""What such a part holds stands here and in the documentation, not in the schema of every tool that is no read."""


class Confirmed(_Shape):
    """Who agreed to what was sent, or why nobody was asked."""

    how: Literal["elicited", "page", "terminal", "unattended", "not_needed"] = Field(
        description="How it was agreed to."
    )
    by: str | None = Field(None, description="Who agreed, as far as known.")
    at: str | None = Field(None, description="When, ISO 8601.")


class Outcome(_Shape):
    """The one honest outcome of a call that is no read."""

    outcome: Ending = Field(
        description="done; approval_required: a person has yet to approve; refused: nothing was sent; "
        "failed: the API did not do it; unknown: look before trying again."
    )
    message: str = Field(description="What happened, why, and what to do now.")
    result: JsonObject | None = Field(None, description="What the API answered.")
    plan: Annotated[Plan | None, _TOLD_ONCE] = Field(None, description="What the call would do.")
    approval: Annotated[Pending | None, _TOLD_ONCE] = Field(None, description="The pending request.")
    confirmed: Annotated[Confirmed | None, _TOLD_ONCE] = Field(None, description="Who agreed to it.")
    billing: Bill | None = Field(None, description="What happens to the bill.")
    settled: Annotated[Settled | None, _TOLD_ONCE] = Field(None, description="What waiting for it came to.")
    look_with: Annotated[LookWith | None, _TOLD_ONCE] = Field(None, description="How to see what took place.")
