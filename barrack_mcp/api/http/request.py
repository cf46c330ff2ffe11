"""Requests, each as the library makes it; what is the same every time is made by it once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import httpx2

_KNOWN: Final = 256
"""Addresses that are kept at most; those without an id in them are fewer."""


class Requests:
    """Makes the requests to one API.

    A request without a query and without a body is like the one before it, but for its time and who hears of it. The
    library would take its address apart and put its headers together anew, which costs more than to send it.

    Args:
        url: Base URL without a trailing slash.
        headers: Sent with each.
    """

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url = url
        self._headers = headers
        self._plain = lru_cache(_KNOWN)(self._made)

    def make(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        extensions: Mapping[str, Any],
    ) -> httpx2.Request:
        """Make a request, whose headers are its own.

        Args:
            method: Its method.
            path: Its path below the base URL.
            query: What stands behind the path.
            body: Its JSON.
            extensions: What the transport has to know of it, with its `timeout`.
        """
        # what may hold more than a name is not kept
        like = self._plain(method, path) if query is None and body is None else self._made(method, path, query, body)
        return httpx2.Request(method, like.url, headers=like.headers, stream=like.stream, extensions=extensions)

    def _made(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> httpx2.Request:
        return httpx2.Request(method, self._url + path, params=query, json=body, headers=self._headers)
