"""What the API answers otherwise than we know is said once a field, by its name alone."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client

from barrack_mcp.config import read_settings
from barrack_mcp.dispatch.answers.drift import MOST
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.server.house import open_server
from tests.support.answers import Answers, dispatcher
from tests.support.answers import json as answered
from tests.support.guarding import Corridor

pytestmark = pytest.mark.anyio


async def call(made: Corridor, tool: str, arguments: dict[str, Any] | None = None) -> None:
    assert isinstance(await made.call(tool, arguments or {}), Answer)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "barrack_mcp.dispatch.answers.drift"]


async def test_new_fields_and_other_types_are_said_once_and_no_value_with_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = [{"volume_id": "BRK-1V", "size_gb": "many", "zone": "canary-a", "rack": {"row": 7}}] * 3
    made = dispatcher(Answers(answered({"volumes": rows, "quota_left": 3}), pricing=answered({})))
    for _ in range(3):
        await call(made, "list_volumes")
    assert sorted(said(caplog)) == [
        "list_volumes: the API sends quota_left, which we don't know; it is passed on.",
        "list_volumes: the API sends volumes.rack, which we don't know; it is passed on.",
        "list_volumes: the API sends volumes.zone, which we don't know; it is passed on.",
        "list_volumes: volumes.size_gb comes with another type than we know; it stands under `unexpected`.",
    ]
    assert "canary" not in "".join(said(caplog))


async def test_a_write_s_answer_is_held_against_what_we_know_too(caplog: pytest.LogCaptureFixture) -> None:
    made = dispatcher(Answers(answered({"success": True, "message": "Started.", "job": 7})))
    await call(made, "start_instance", {"instance_id": "BRK-1D"})
    assert said(caplog) == ["start_instance: the API sends job, which we don't know; it is passed on."]


async def test_names_that_could_be_somebodys_are_not_said_and_the_log_has_an_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    row = {"BRK-103339D": 1, "my machine": 1, "x" * 80: 1}
    await call(dispatcher(Answers(answered({"regions": [row]}))), "list_regions")
    assert said(caplog) == []
    many = {f"{'abcdefghij'[n // 10]}{'abcdefghij'[n % 10]}": 1 for n in range(100)}
    await call(dispatcher(Answers(answered({"regions": [many]}))), "list_regions")
    assert len(said(caplog)) == MOST


async def test_the_embedded_simulator_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    async with open_server(read_settings({"BARRACK_SIMULATOR": "1"})) as made, Client(made.server) as client:
        assert (await client.call_tool("list_instances", {})).structured_content
    assert said(caplog) == []
