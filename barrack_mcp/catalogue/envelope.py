"""What many requests and answers share: pages of a list, the receipt of a change, the body of an error."""

from __future__ import annotations

from barrack_mcp.catalogue.models import DOCUMENTED, Request, Response, answered, optional
from barrack_mcp.catalogue.values import Anything, DetailEnum, Limit, PositiveInt, Text, Whole


class Paging(Request):
    """Which page of a list: `page` counts from 1; the API's own examples have 20 rows a page."""

    page: PositiveInt | None = optional("Page, from 1.", DOCUMENTED)
    limit: Limit | None = optional("Per page (20).", DOCUMENTED)


class Detail(Request):
    """How much of each row to show. This argument is ours: the API never sees it."""

    detail: DetailEnum | None = optional("Of rows (concise).")


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


class Data(Response):
    """The vendor's generic `data` object; nothing is known of it."""


class ErrorResponse(Response):
    """Why the API refused; every form of it is inferred."""

    message: Text = answered("What the API says.", "detail")
    error: Anything = answered("What went wrong, or more about it.")
    code: Text = answered("The API's own code for it.", "error_code")
    request_id: Text = answered("Id of the request at Barrack, for its support.")
