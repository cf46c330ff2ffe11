"""Errors of our own: the log has them, the answer an id to find them by, never an exception's text."""

from __future__ import annotations

import logging

from barrack_mcp.state.audit import origin

_log = logging.getLogger(__name__)


def log_crash(what: str) -> str:
    """Log the error that is being handled, under the id of the request that met it, and say so in a sentence."""
    crash = origin.current().request or origin.new_id()
    _log.exception("internal error %s in %s", crash, what)
    return f"Internal error {crash}; the server's log has more."
