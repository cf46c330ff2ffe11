"""What is read from other places than the API, without the key and without following."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import anyio
import httpx2

from barrack_mcp import __version__
from barrack_mcp.api.http import checked_url
from barrack_mcp.api.http.network import Network, open_http, why

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
