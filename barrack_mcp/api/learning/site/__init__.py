"""The vendor's documentation site, as Apidog publishes it: an index, and a page for each endpoint."""

from __future__ import annotations

from barrack_mcp.api.learning.site.reading import LEFT_FOR_THE_API, read_site

__all__ = ["LEFT_FOR_THE_API", "read_site"]
