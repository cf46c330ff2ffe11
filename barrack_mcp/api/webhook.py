"""Tells a chat of a new request for approval. It carries no key, follows no redirect, and nothing hangs on it."""

from __future__ import annotations

import logging
from typing import Final

import httpx2
from pydantic import SecretStr

_SECONDS: Final = 5.0
_MARKUP: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""What chats read as links and mentions."""

_log = logging.getLogger(__name__)


async def post(url: SecretStr, text: str, *, transport: httpx2.AsyncBaseTransport | None = None) -> bool:
    """Post a text; says whether it was taken. The address is itself a secret and never logged.

    Args:
        url: Address of an incoming webhook, as Slack, Mattermost and Discord have them.
        text: Plain text.
        transport: Another way out than the network.
    """
    safe = text.translate(_MARKUP)
    body = {"text": safe, "content": safe, "allowed_mentions": {"parse": []}}
    try:
        async with httpx2.AsyncClient(timeout=_SECONDS, transport=transport, follow_redirects=False) as http:
            answer = await http.post(url.get_secret_value(), json=body)
    except (httpx2.HTTPError, OSError) as error:
        _log.warning("The webhook could not be reached (%s).", type(error).__name__)
        return False
    if not answer.is_success:
        _log.warning("The webhook answered %d.", answer.status_code)
    return answer.is_success
