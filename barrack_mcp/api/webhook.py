"""Tells a chat of a new request for approval. It carries no key, follows no redirect, and nothing hangs on it."""

from __future__ import annotations

import logging
from typing import Final

import anyio
import httpx2
from pydantic import SecretStr

from barrack_mcp.api.quiet import quiet

_SECONDS: Final = 5.0
_MARKUP: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""What chats read as links and mentions."""

_log = logging.getLogger(__name__)


async def post(
    url: SecretStr, text: str, *, seconds: float = _SECONDS, transport: httpx2.AsyncBaseTransport | None = None
) -> bool:
    """Post a text; says whether it was taken. Never raises. The address is itself a secret and never logged.

    Args:
        url: Address of an incoming webhook, as Slack, Mattermost and Discord have them.
        text: Plain text.
        seconds: Time for all of it.
        transport: Another way out than the network.
    """
    quiet()
    safe = text.translate(_MARKUP)
    body = {"text": safe, "content": safe, "allowed_mentions": {"parse": []}}
    try:
        with anyio.fail_after(seconds):
            async with (
                httpx2.AsyncClient(timeout=seconds, transport=transport, follow_redirects=False) as http,
                # what it says beside its status is of no use, and may have no end
                http.stream("POST", url.get_secret_value(), json=body) as answer,
            ):
                status, taken = answer.status_code, answer.is_success
    except Exception as error:  # noqa: BLE001 - nothing hangs on it, whatever goes wrong
        _log.warning("The webhook could not be reached (%s).", type(error).__name__)
        return False
    if not taken:
        _log.warning("The webhook answered %d.", status)
    return taken
