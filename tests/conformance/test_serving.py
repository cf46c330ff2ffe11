"""The conformance suite's fixtures stand beside the product's own tools, on one server, and take nothing from it."""

from __future__ import annotations

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.types import TextContent

from barrack_mcp.catalogue import OFFERS
from tests.conformance.serving import opened, served

pytestmark = pytest.mark.anyio

ERAS = ["legacy", "auto"]


@pytest.mark.parametrize("era", ERAS)
async def test_the_products_tools_come_first_and_run_as_ever(era: str) -> None:
    async with opened(fixtures=True) as server, Client(server, mode=era) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        ours = [*OFFERS]
        assert names[: len(ours)] == ours
        assert set(names[len(ours) :]) & {"test_simple_text", "test_header", "test_input_required_result_multi_round"}
        balance = await client.call_tool("get_credit_balance", {})
        assert balance.structured_content is not None
        assert balance.structured_content["balance"]["amount"] > 0
        with pytest.raises(MCPError) as error:
            await client.call_tool("test_unheard", {})
        assert error.value.code == -32602


@pytest.mark.parametrize("era", ERAS)
async def test_a_fixture_answers(era: str) -> None:
    async with opened(fixtures=True) as server, Client(server, mode=era) as client:
        (said,) = (await client.call_tool("test_simple_text", {})).content
        assert isinstance(said, TextContent)
        assert said.text == "This is a simple text response for testing."
        assert "test://static-text" in {str(each.uri) for each in (await client.list_resources()).resources}
        assert (await client.read_resource("test://template/7/data")).contents[0].uri == "test://template/7/data"
        assert "test_simple_prompt" in {prompt.name for prompt in (await client.list_prompts()).prompts}
        with pytest.raises(MCPError) as error:
            await client.read_resource("test://unheard")
        # the newer revision has no code of its own for it
        assert error.value.code == (-32002 if era == "legacy" else -32602)


async def test_without_fixtures_the_server_is_the_products_alone() -> None:
    async with opened(fixtures=False) as server, Client(server) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == [*OFFERS]


async def test_what_is_served_is_the_products_application() -> None:
    async with served(fixtures=True) as url, httpx2.AsyncClient() as http:
        health = await http.get(url.replace("/mcp", "/health"))
        assert health.json()["status"] == "ok"
        refused = await http.post(url, json={}, headers={"Host": "evil.example"})
        assert refused.status_code == 421
