"""The tools of our own, declared once each: what no one operation of the API answers."""

from __future__ import annotations

from typing import Final

from barrack_mcp.catalogue.insights import leases, spending, waiting
from barrack_mcp.catalogue.insights.insight import Insight

__all__ = ["INSIGHTS", "Insight"]

INSIGHTS: Final[tuple[Insight, ...]] = (*spending.INSIGHTS, *waiting.INSIGHTS, *leases.INSIGHTS)
"""All of them, in the order of the list."""
