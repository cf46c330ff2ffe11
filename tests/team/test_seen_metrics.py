"""`/metrics`: what happened, counted once each, in words of ours alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from prometheus_client.parser import text_string_to_metric_families

from barrack_mcp.dispatch.ending import Ended
from barrack_mcp.transports.monitoring.metrics import EVERY_S, MOST_CALLERS, Metrics
from barrack_mcp.transports.web import sse_app
from tests.support.callers import Desk
from tests.support.patience import PATIENT_S
from tests.support.running import KEY
from tests.team.monitored import Monitored, monitored

pytestmark = pytest.mark.anyio

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Zt1RkmvQ3a4vXbJ8mH5v3Jg5y6uQmE7lG0k2u1YtC"


class Read:
    """What a scraper reads."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = [each for family in text_string_to_metric_families(text) for each in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The sum of what bears these labels."""
        return sum(
            each.value
            for each in self.samples
            if each.name == f"barrack_mcp_{name}" and labels.items() <= each.labels.items()
        )


async def scraped(server: Monitored, headers: Mapping[str, str] | None = None) -> Read:
    async with httpx2.AsyncClient(timeout=PATIENT_S) as http:
        answer = await http.get(f"{server.url}/metrics", headers=dict(headers or {}))
    assert answer.status_code == 200, answer.text
    return Read(answer.text)


@pytest.mark.promise("R11")
async def test_each_call_is_counted_once_by_what_came_of_it(tmp_path: Path) -> None:
    async with monitored(tmp_path, BARRACK_APPROVAL="out-of-band") as server:
        async with Client(f"{server.url}/mcp") as client:
            await client.call_tool("create_ssh_key", {"name": "canary-key", "public_key": PUBLIC})
            await client.call_tool("create_ssh_key", {"name": "canary-key"})
            await client.call_tool("delete_ssh_key", {"key_id": "canary-key"})
            await client.call_tool("list_ssh_keys", {})
            server.play({"action": "status", "status": 400, "path": "/ssh-keys/"})
            await client.call_tool("list_ssh_keys", {})
            server.play()
            with pytest.raises(MCPError):
                await client.call_tool("canary-tool", {})
        read = await scraped(server)
    calls = {
        (each.labels["tool"], each.labels["outcome"]): each.value
        for each in read.samples
        if each.name == "barrack_mcp_calls_total"
    }
    assert calls == {
        ("create_ssh_key", "done"): 1,
        ("create_ssh_key", "refused"): 1,
        ("delete_ssh_key", "approval_required"): 1,
        ("list_ssh_keys", "done"): 1,
        ("list_ssh_keys", "failed"): 1,
    }
    assert read.value("calls_total", transport="http") == 5
    assert read.value("call_seconds_count", tool="list_ssh_keys") == 2
    assert read.value("approvals_pending") == 1
    assert read.value("api_requests_total", result="rejected") == 1
    assert read.value("api_under_way") == read.value("api_waiting") == 0
    assert "process_cpu_seconds_total" in read.text
    assert "canary" not in read.text
    assert "AAAAC3" not in read.text


@pytest.mark.promise("R11")
async def test_requests_are_counted_by_what_came_of_each_and_those_that_were_not_sent_apart(tmp_path: Path) -> None:
    async with monitored(tmp_path) as server, Client(f"{server.url}/mcp") as client:
        before = server.asked
        await client.call_tool("list_regions", {})
        server.play({"action": "status", "status": 429, "headers": {"Retry-After": "0"}})
        await client.call_tool("list_regions", {})
        read = await scraped(server)
        sent = read.value("api_requests_total")
        # what all costs is read beside
        assert sent == server.asked - before
        assert read.value("api_requests_total", result="throttled") >= 3
        assert read.value("api_unsent_total") == 0


@pytest.mark.promise("R11")
async def test_over_the_older_transport_it_is_the_same(tmp_path: Path) -> None:
    async with monitored(tmp_path, sse_app) as server:
        async with Client(sse_client(f"{server.url}/sse")) as client:
            await client.call_tool("list_regions", {})
        assert (await server.get("/ready")).status_code == 200
        assert (await scraped(server)).value("calls_total", tool="list_regions", transport="sse") == 1


@pytest.mark.promise("R11")
async def test_what_all_costs_is_read_once_a_minute_however_often_it_is_scraped(tmp_path: Path) -> None:
    async with monitored(tmp_path) as server:
        first = await scraped(server)
        cost = first.value("account_hourly_cost", currency="USD")
        assert cost > 0
        asked = server.asked
        assert asked <= 4
        for _ in range(5):
            assert (await scraped(server)).value("account_hourly_cost") == cost
        assert server.asked == asked
        server.play({"action": "status", "status": 400})
        server.clock.at += EVERY_S
        # an old figure would pass for today's
        assert 'account_hourly_cost{currency="USD"} NaN' in (await scraped(server)).text
        assert server.asked <= 2 * asked


@pytest.mark.promise("R11")
async def test_who_is_turned_away_is_counted_by_what_there_was_no_room_for(tmp_path: Path) -> None:
    names = ("connections", "requests", "streams", "bodies", "accounts")
    async with monitored(tmp_path) as server:
        assert [(await scraped(server)).value("busy_total", full=name) for name in names] == [0] * 5
        server.metrics.busy("bodies")
        read = await scraped(server)
        assert [read.value("busy_total", full=name) for name in names] == [0, 0, 0, 1, 0]


@pytest.mark.promise("R11")
async def test_without_a_key_nothing_is_read_for_metrics(tmp_path: Path) -> None:
    async with monitored(tmp_path, BARRACK_API_KEY="") as server:
        assert "account_hourly_cost{" not in (await scraped(server)).text
        assert server.asked == 0


@pytest.mark.promise("R11")
async def test_where_callers_sign_in_metrics_want_a_token_and_tell_callers_apart_only_by_choice(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "callers.toml")
    token, prometheus = desk.let_in("canary-caller"), desk.let_in("prometheus", 'risks = ["read"]')
    for chosen in ("", "1"):
        settings = {"BARRACK_HTTP_TOKENS_FILE": str(desk.path), "BARRACK_METRICS_BY_CALLER": chosen}
        async with monitored(tmp_path, **settings) as server:
            assert (await server.get("/metrics")).status_code == 401
            assert (await server.get("/metrics", authorization="Bearer x")).status_code == 401
            bearing = {"Authorization": f"Bearer {token}"}
            async with (
                httpx2.AsyncClient(headers=bearing, timeout=PATIENT_S) as http,
                Client(streamable_http_client(f"{server.url}/mcp", http_client=http)) as client,
            ):
                await client.call_tool("list_ssh_keys", {})
            # a scraper comes by whatever address a server has today
            read = await scraped(server, {"Authorization": f"Bearer {prometheus}", "Host": "10.1.2.3:8765"})
            assert (await server.get("/mcp", authorization=f"Bearer {token}", host="10.1.2.3")).status_code == 421
            assert ("canary-caller" in read.text) is bool(chosen)
            assert read.value("calls_total", tool="list_ssh_keys") == 1
            assert not any(secret in read.text for secret in (token, KEY))


@pytest.mark.promise("R11")
async def test_without_a_login_metrics_are_for_this_machine_alone(tmp_path: Path) -> None:
    async with monitored(tmp_path) as server:
        assert (await server.get("/metrics", host="rebound.example")).status_code == 421
        assert (await server.get("/metrics", origin="https://page.example")).status_code == 403


@pytest.mark.promise("R11")
async def test_a_record_that_cannot_be_written_is_counted(tmp_path: Path) -> None:
    async with monitored(tmp_path) as server, Client(f"{server.url}/mcp") as client:
        assert (await scraped(server)).value("state_errors_total") == 0
        (tmp_path / "audit.jsonl").unlink()
        (tmp_path / "audit.jsonl").mkdir()
        await client.call_tool("create_ssh_key", {"name": "k", "public_key": PUBLIC})
        read = await scraped(server)
        assert read.value("state_errors_total", what="audit") >= 1
        assert read.value("state_errors_total", what="store") == 0


async def test_without_the_extra_there_are_no_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *_: None if name == "prometheus_client" else sys.modules[name].__spec__
    )
    async with monitored(tmp_path) as server:
        assert (await server.get("/metrics")).status_code == 404
        assert (await server.get("/ready")).status_code == 200


def test_callers_beyond_a_number_count_as_one() -> None:
    metrics = Metrics(by_caller=True)
    for number in range(MOST_CALLERS + 50):
        metrics.ended(Ended("list_regions", "done", 0.1, f"caller-{number}"))
    found: list[Any] = [each for family in metrics.registry.collect() for each in family.samples]
    callers = {each.labels["caller"] for each in found if each.name == "barrack_mcp_calls_total"}
    assert len(callers) == MOST_CALLERS + 1


@pytest.mark.slow
def test_over_stdio_nothing_of_it_is_loaded() -> None:
    script = (
        "import sys, barrack_mcp.cli.serve, barrack_mcp.server.house;"
        " sys.exit(any(name.startswith(('prometheus_client', 'opentelemetry.sdk')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=PATIENT_S).returncode == 0
