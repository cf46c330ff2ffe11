"""One browser for all tests, one page for each; a page that complains on the browser's console fails its test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest
from playwright.async_api import Browser

from barrack_mcp.guard.plans import Planned
from stage import Desk, browsing, planned, serving


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as started:
        yield started


@pytest.fixture(scope="session")
async def deletion() -> Planned:
    """To delete an instance: a name has to be typed."""
    return await planned("delete_instance")


@pytest.fixture(scope="session")
async def purchase() -> Planned:
    """To buy an instance: a yes is enough."""
    return await planned("deploy_instance")


@pytest.fixture
async def desk(browser: Browser) -> AsyncIterator[Desk]:
    with anyio.fail_after(120):
        async with serving(browser) as made:
            yield made
            assert made.complaints == []
