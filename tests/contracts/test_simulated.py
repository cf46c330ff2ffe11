"""The simulator keeps to the exported document where it had been found not to."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from barrack_mcp.catalogue import OPERATIONS
from barrack_mcp.simulator import create_app

pytestmark = pytest.mark.anyio

BY_TIER = [each.path for each in OPERATIONS if each.method == "GET" and "tier" in each.arguments.model_fields]


async def answered(method: str, path: str, **more: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=create_app())) as http:
        headers = {"Authorization": "Bearer sim-key"}
        return await http.request(method, f"http://127.0.0.1/api{path}", headers=headers, **more)


async def test_a_method_that_a_path_does_not_take_is_told_with_those_it_takes() -> None:
    answer = await answered("TRACE", "/pricing/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("tier", ["", "middle", "null"])
@pytest.mark.parametrize("path", BY_TIER)
async def test_a_tier_that_is_none_is_refused(path: str, tier: str) -> None:
    answer = await answered("GET", path, params={"tier": tier})
    assert answer.status_code == 400
    assert "tier" in answer.json()
    assert (await answered("GET", path, params={"tier": "legacy"})).status_code == 200


@pytest.mark.parametrize("count", ["0", "9", "two", ""])
async def test_a_number_of_gpus_that_is_none_is_refused(count: str) -> None:
    answer = await answered("GET", "/gpu-specs/", params={"gpu_count": count})
    assert (answer.status_code, list(answer.json())) == (400, ["gpu_count"])


async def test_a_body_of_null_is_no_object() -> None:
    assert (await answered("POST", "/pricing/", content=b" null ")).status_code == 400


async def test_a_line_break_in_a_path_is_answered_in_json() -> None:
    answer = await answered("GET", "/ssh-keys/%0A/")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
