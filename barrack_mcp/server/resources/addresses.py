"""The addresses of resources: a thing's page stands under its kind and its id."""

from __future__ import annotations

from typing import Final

from barrack_mcp.catalogue.kinds import KINDS, Kind

SCHEME: Final = "barrack://"

_BY_PAGE: Final = {kind.page: kind for kind in KINDS}


def template(kind: Kind) -> str:
    """Make the template of the addresses of a kind."""
    return f"{SCHEME}{kind.page}/{{{kind.arguments[0]}}}"


def read_address(uri: str) -> tuple[Kind | None, str]:
    """Read the address of a thing as its kind and its id; whether it is an id, the kind's tool says."""
    page, _, thing_id = uri.removeprefix(SCHEME).partition("/")
    return (_BY_PAGE.get(page) if uri.startswith(SCHEME) else None), thing_id
