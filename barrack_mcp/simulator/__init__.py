"""A Barrack in a box: the fake API that tools, tests and demonstrations talk to instead of the real one.

It imports nothing else of ours, so that it can disagree with us. What the vendor published it answers word for word;
the rest is the reconstruction that the contract describes.
"""

from __future__ import annotations

from barrack_mcp.simulator.app import create_app
from barrack_mcp.simulator.barrack import Barrack

__all__ = ["Barrack", "create_app"]
