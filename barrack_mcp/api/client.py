"""The only room that sends: one request for one operation, one honest reading of its answer."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

import anyio
import httpx2
from pydantic import SecretStr
from starlette.types import ASGIApp

from barrack_mcp import __version__
from barrack_mcp.api.auth import KeyAuth
from barrack_mcp.api.errors import ApiError, Failure, error_from
from barrack_mcp.catalogue import JsonObject, Operation

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
MAX_CONNECTIONS: Final = 16

_NEVER_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


class Client:
    """Sends operations to one API with one key.

    Args:
        http: The connection pool; it follows no redirect.
        url: Base URL without a trailing slash.
        auth: What attaches the key; None where there is none.
        seconds: Time for one request in all, from its first byte to the last byte of the answer.
    """

    def __init__(self, http: httpx2.AsyncClient, *, url: str, auth: KeyAuth | None, seconds: float) -> None:
        self._http = http
        self._url = url
        self._auth = auth
        self._seconds = seconds

    async def send(self, operation: Operation, arguments: Mapping[str, Any]) -> Any:
        """Send one operation and answer the API's JSON.

        Args:
            operation: What to do.
            arguments: Its validated arguments; those not given are left out.

        Returns:
            The body of a successful answer: mostly an object, sometimes a list; `{}` if there is none.

        Raises:
            ApiError: For everything else, with what is known of the effect.
        """
        if self._auth is None:
            raise ApiError(
                Failure.NO_KEY,
                "No API key is set, so nothing was sent; set BARRACK_API_KEY or BARRACK_API_KEY_FILE and start again",
            )
        request = self._http.build_request(operation.method, **self._parts(operation, arguments))
        try:
            with anyio.fail_after(self._seconds):
                response = await self._http.send(request, auth=self._auth, stream=True, follow_redirects=False)
                try:
                    body = await _read(response)
                finally:
                    await response.aclose()
        except _NEVER_SENT as error:
            raise ApiError(Failure.UNREACHABLE, f"The API could not be reached ({_why(error)})") from error
        except TimeoutError as error:
            raise ApiError(Failure.SILENT, f"No answer within {self._seconds:g} s") from error
        except (httpx2.HTTPError, OSError) as error:
            raise ApiError(
                Failure.SILENT, f"The connection broke before the answer was whole ({_why(error)})"
            ) from error
        return _judged(response, body)

    def _parts(self, operation: Operation, arguments: Mapping[str, Any]) -> JsonObject:
        """Split the arguments into the path, the query and the body."""
        places = {name: quote(str(arguments[name]), safe="") for name in operation.placeholders}
        rest = {name: value for name, value in arguments.items() if name not in places}
        parts: JsonObject = {"url": self._url + operation.path.format_map(places)}
        if rest:
            parts["params" if operation.in_query else "json"] = rest
        return parts


async def _read(response: httpx2.Response) -> bytes:
    """Read the answer, up to a size that no honest answer has."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise ApiError(
                Failure.SILENT,
                f"The answer is larger than {MAX_ANSWER_BYTES // 2**20} MiB and was not read",
                status=response.status_code,
            )
    return bytes(body)


def _judged(response: httpx2.Response, raw: bytes) -> Any:
    status = response.status_code
    try:
        # NaN and Infinity are no JSON: null is what they say
        body = json.loads(raw, parse_constant=lambda _: None) if raw.strip() else {}
        readable = True
    except (ValueError, RecursionError):
        body, readable = None, False
    if status >= 300:  # noqa: PLR2004 - what is not a success
        error = error_from(status, body, retry_after=response.headers.get("retry-after"))
        if error.failure is Failure.REDIRECTED:
            error.words = "The API redirects this path elsewhere, so our path or BARRACK_API_URL is wrong; not followed"
        elif not readable:
            error.words = f"The answer is no JSON but {_kind(response)}"
        raise error
    if not readable:
        raise ApiError(Failure.SILENT, f"The answer is no JSON but {_kind(response)}", status=status)
    if isinstance(body, dict) and body.get("success") is False:
        error = error_from(status, body)
        error.failure = Failure.REJECTED
        raise error
    return body


def _kind(response: httpx2.Response) -> str:
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    return "a web page" if kind == "text/html" else f"of type {kind}" if kind.isprintable() and kind else "unreadable"


def _why(error: Exception) -> str:
    """Name the cause without the library's text, which may hold addresses or headers."""
    if isinstance(error, httpx2.TimeoutException):
        return "timed out"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


@asynccontextmanager
async def open_client(
    *,
    url: str,
    key: SecretStr | None,
    auth_header: str,
    auth_template: str,
    seconds: float,
    app: ASGIApp | None = None,
) -> AsyncIterator[Client]:
    """Open the connection pool and close it at the end.

    Args:
        url: Base URL of the API, without a trailing slash.
        key: The API key; without it every call fails before it is sent.
        auth_header: Name of the header that carries it.
        auth_template: Value of that header, with `{key}`.
        seconds: Time for one call in all.
        app: An application to call in this process instead of the network.
    """
    transport = (
        httpx2.ASGITransport(app=app)
        if app is not None
        else httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=MAX_CONNECTIONS), trust_env=True)
    )
    auth = KeyAuth(key, header=auth_header, template=auth_template) if key is not None else None
    headers = {"Accept": "application/json", "User-Agent": f"barrack-mcp/{__version__}"}
    async with httpx2.AsyncClient(transport=transport, headers=headers, timeout=seconds) as http:
        yield Client(http, url=url, auth=auth, seconds=seconds)
