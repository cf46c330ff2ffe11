"""The web page on loopback where a person sees what a call would do, and says yes or no."""

from __future__ import annotations

from barrack_mcp.guard.page.entry import login_link, new_secret
from barrack_mcp.guard.page.knock import is_served
from barrack_mcp.guard.page.server import PageError, PageServer
from barrack_mcp.guard.page.view import UNTOLD, About

__all__ = ["UNTOLD", "About", "PageError", "PageServer", "is_served", "login_link", "new_secret"]
