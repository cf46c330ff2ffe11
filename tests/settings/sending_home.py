"""A plugin of the proxy in the tests: whatever host is asked for, it is this machine."""

from __future__ import annotations

from proxy.http.proxy import HttpProxyBasePlugin


class SendingHome(HttpProxyBasePlugin):
    """Knows one address for all names."""

    def resolve_dns(self, host: str, port: int) -> tuple[str | None, tuple[str, int] | None]:  # noqa: ARG002 - the library's
        """Answer this machine."""
        return "127.0.0.1", None
