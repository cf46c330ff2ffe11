"""What goes to other places than the API, without the key and without following: a document read, a chat told."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import anyio
import httpx2
from pydantic import SecretStr

from barrack_mcp import __version__
from barrack_mcp.api.http import checked_url
from barrack_mcp.api.http.network import Network, open_http, why
from barrack_mcp.api.text import escape_markup

MAX_BYTES: Final = 8 * 1024 * 1024
SECONDS: Final = 30.0


class FetchError(Exception):
    """The document could not be read; one sentence.

    Attributes:
        reached: Whether the other side answered at all.
    """

    def __init__(self, sentence: str, *, reached: bool = True) -> None:
        super().__init__(sentence)
        self.reached = reached


async def fetch(
    url: str,
    *,
    seconds: float = SECONDS,
    most: int = MAX_BYTES,
    network: Network | None = None,
    form: Mapping[str, str] | None = None,
) -> bytes:
    """Read what stands at an address: https, or this machine.

    Args:
        url: The address; it may hold a query.
        seconds: Time for all of it.
        most: Bytes at most.
        network: The way out; directly, trusting the system's certificates, if None.
        form: Fields to post there; None to read alone.

    Raises:
        FetchError: The address is none that we read, or what is there could not be read.
    """
    try:
        checked_url(url.partition("?")[0])
    except ValueError as error:
        raise FetchError(f"The document's address {error}.") from None
    headers = {"Accept": "application/json, application/yaml, */*;q=0.5", "Accept-Encoding": "identity"}
    headers["User-Agent"] = f"barrack-mcp/{__version__}"
    try:
        with anyio.fail_after(seconds):
            async with (
                open_http(network or Network(), headers=headers, seconds=seconds) as http,
                http.stream("GET" if form is None else "POST", url, data=form) as response,
            ):
                return await _read(response, most)
    except TimeoutError:
        raise FetchError(f"The document did not come within {seconds:.3g} s.", reached=False) from None
    except (httpx2.HTTPError, OSError) as error:
        words = f"The document's address could not be reached or broke off ({why(error)})."
        raise FetchError(words, reached=False) from None


async def _read(response: httpx2.Response, most: int) -> bytes:
    if response.is_redirect:
        raise FetchError("The document's address leads elsewhere, which is not followed; give the place it leads to.")
    if not response.is_success:
        raise FetchError(f"The document's address answered {response.status_code}; a key is never sent there.")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise FetchError("The document came packed, which was not asked for; save it to a file and give that.")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > most:
            raise FetchError(f"The document is larger than {most // 2**20} MiB; save the API's own part to a file.")
    return bytes(body)


_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


async def post_webhook(
    url: SecretStr,
    text: str,
    *,
    seconds: float = _SECONDS,
    transport: httpx2.AsyncBaseTransport | None = None,
    network: Network | None = None,
) -> bool:
    """Post a text; says whether it was taken. Never raises. The address is itself a secret and never logged.

    Args:
        url: Address of an incoming webhook, as Slack, Mattermost and Discord have them.
        text: Plain text.
        seconds: Time for all of it.
        transport: Another way out than the network.
        network: As for `fetch`.
    """
    safe = escape_markup(text)
    body = {"text": safe, "content": safe, "allowed_mentions": {"parse": []}}
    try:
        with anyio.fail_after(seconds):
            async with (
                open_http(network or Network(), transport=transport, seconds=seconds) as http,
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
