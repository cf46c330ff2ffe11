"""The key rides on each request in a header whose form is a setting, and is kept nowhere else."""

from __future__ import annotations

from collections.abc import Generator

import httpx2
from pydantic import SecretStr


class KeyAuth(httpx2.Auth):
    """Attach the key to a request as it leaves.

    Args:
        key: The API key.
        header: Name of the header; the vendor documents that a key authenticates, not the header's name.
        template: Value of the header, with `{key}` where the key goes.
    """

    def __init__(self, key: SecretStr, *, header: str, template: str) -> None:
        self._key = key
        self._header = header
        self._template = template

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Set the header and send."""
        request.headers[self._header] = self._template.replace("{key}", self._key.get_secret_value())
        yield request
