"""The web page where a person sees what a call would do, and says yes or no: common to all its entries."""

from __future__ import annotations

from barrack_mcp.guard.page.about import UNTOLD, About
from barrack_mcp.guard.page.link.entry import login_link, new_secret
from barrack_mcp.guard.page.link.knock import is_served
from barrack_mcp.guard.page.link.server import PageError, PageServer

__all__ = ["UNTOLD", "About", "PageError", "PageServer", "is_served", "login_link", "new_secret"]
