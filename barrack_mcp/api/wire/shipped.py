"""What of the contract was learned before this version was made: under all that an operator says."""

from __future__ import annotations

from functools import cache

from barrack_mcp.api.wire.learned import CONTRACT
from barrack_mcp.api.wire.loading import from_table
from barrack_mcp.api.wire.overrides import Overrides, merged


@cache
def shipped() -> Overrides:
    """The contract that is shipped; it passed the bounds before it was."""
    overrides, _ = from_table(CONTRACT)
    return overrides


def over_shipped(overrides: Overrides) -> Overrides:
    """Lay what an operator says over what is shipped.

    What says of an operation where it is documented says all of it: nothing shipped shines through.
    """
    return laid_over(shipped(), overrides)


def laid_over(under: Overrides, over: Overrides) -> Overrides:
    """Lay one contract over another: key by key, but whole where the upper one says where it is documented."""
    whole = {tool for tool, said in over.operations.items() if said.documented is not None}
    kept = {tool: said for tool, said in under.operations.items() if tool not in whole}
    return merged(Overrides(api=under.api, operations=kept, status=under.status), over)
