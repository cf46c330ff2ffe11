"""What was learned of the API and is shipped. Made by .ci/ship.py from a bundle; to be looked through, not edited."""

from __future__ import annotations

from typing import Final

from barrack_mcp.catalogue import JsonObject

CONTRACT: Final[JsonObject] = {}
"""A contract as its file holds it: each operation with where and when it was found documented."""
