"""What many requests and answers share: pages of a list, the receipt of a change, the body of an error."""

from barrack_mcp.catalogue.models import DOCUMENTED, FEW, MANY, Request, Response, answered, optional
from barrack_mcp.catalogue.values import (
    Anything,
    DetailEnum,
    Hours,
    Limit,
    Number,
    PositiveInt,
    Text,
    Texts,
    WaitSeconds,
    Whole,
    Word,
)


class Paging(Request):
    """Which page of a list: `page` counts from 1; the API's own examples have 20 rows a page."""

    page: PositiveInt | None = optional("From 1.", DOCUMENTED)
    limit: Limit | None = optional("Per page (20).", DOCUMENTED)


class Detail(Request):
    """How much of each row to show. This argument is ours: the API never sees it."""

    detail: DetailEnum | None = optional("Default: concise.")


class Patience(Request):
    """How long to wait until what was done has settled. This argument is ours: the API never sees it."""

    wait_seconds: WaitSeconds | None = optional("Waits till settled.")


class Named(Request):
    """Which rows of a list to show, by their names. Ours; all pages are looked through."""

    name: Word | None = optional("Part, or glob.")


class Leased(Request):
    """How long a machine that is bought may run. Ours."""

    lease_hours: Hours | None = optional("Hours; reap then hibernates it.")


class OwnPaging(Request):
    """Which part of a list to show that the API gives whole. Ours."""

    page: PositiveInt | None = optional("From 1.")
    limit: Limit | None = optional("Per page (20).")


class NamedPaging(OwnPaging, Named):
    """Both."""


class Envelope(Response):
    """What every answer bears."""

    message: Text = answered("What the API says.", mark=DOCUMENTED)
    request_id: Text = answered("Id of the request at Barrack, for its support.", mark=DOCUMENTED)


class Receipt(Envelope):
    """What every change answers beside its result."""

    tier: Text = answered("legacy or advanced, in either case.", mark=DOCUMENTED)


class Pagination(Response):
    """Where a page stands in its list."""

    total: Whole = answered("Rows in all.", mark=DOCUMENTED)
    page: Whole = answered("This page, from 1.", mark=DOCUMENTED)
    limit: Whole = answered("Rows a page.", mark=DOCUMENTED)
    total_pages: Whole = answered("Pages in all.", mark=DOCUMENTED)


class Paged(Pagination, Envelope):
    """One page of a list, with its position at top level; whoever reads an answer lifts a nested `pagination`."""


class Beside(Response):
    """What we say beside the API's answer to a read."""

    notes: Texts = answered("What of the answer is not shown or not as it came, and how to get it.")
    unexpected: dict[str, Text] | None = answered("Values of another type than expected, by their place.")


class Together(Response):
    """What the things of a list cost together, as they stand."""

    things: Whole = answered("How many of them are in the sum.")
    unpriced: Whole = answered("How many are not, since nothing tells their price.")
    hourly: Number = answered("Per hour.")
    monthly: Number = answered("The same over the 730 hours of a month.")
    currency: Text = answered("USD, EUR or INR.")


class Costing(Beside):
    """The same where what is answered costs something."""

    billing: Text = answered("How the bills run.")


class CostingList(Costing):
    """The same for a list."""

    sum: Together | None = answered("What they cost together.")


class Rated(Response):
    """What we add to a thing that costs something."""

    hourly_rate: Number = answered("What it costs per hour as it stands, where the price list tells.", concise=MANY)


class RatedMachine(Rated):
    """What we add to a machine."""

    billed_at: Text = answered("full rate, hibernated rate or not billed.", concise=FEW)
    lease_ends: Text = answered("When its lease ends, ISO 8601, UTC.", concise=MANY)


class Data(Response):
    """The vendor's generic `data` object; nothing is known of it."""


class ErrorResponse(Response):
    """Why the API refused; every form of it is inferred."""

    message: Text = answered("What the API says.", "detail")
    error: Anything = answered("What went wrong, or more about it.")
    code: Text = answered("The API's own code for it.", "error_code")
    request_id: Text = answered("Id of the request at Barrack, for its support.")
