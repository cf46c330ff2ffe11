"""Answers that go wrong on purpose, in-process and over a real socket."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import httpx2
import pytest

from barrack_mcp.simulator import faults
from barrack_mcp.simulator.server import listening, serve
from tests.simulator.box import Box, Json
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

STOP = "stop_instance"
SILENT = httpx2.Timeout(PATIENT_S, read=0.1)
"""Soon enough for what never answers; to be connected may take longer."""


async def stop(box: Box) -> httpx2.Response:
    return await box.send("POST", f"/instances/{box.instance('train-1')}/stop/")


@asynccontextmanager
async def wired() -> AsyncIterator[Box]:
    """A fake behind a real socket."""
    box = Box()
    with anyio.fail_after(PATIENT_S):
        async with (
            listening(box.app) as address,
            httpx2.AsyncClient(base_url=address, trust_env=False, timeout=PATIENT_S) as client,
        ):
            box.client = client
            yield box


@pytest.mark.parametrize("after", [False, True])
async def test_a_status_replaces_the_answer_before_or_after_the_effect(*, after: bool) -> None:
    box = Box()
    fault = {"action": "status", "status": 503, "headers": {"Retry-After": "7"}, "after_effect": after}
    await box.control("faults", [fault])
    answer = await stop(box)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.json() == {"detail": "Service Unavailable"}
    assert box.effects() == [STOP] * after
    assert (await box.control("requests"))[0]["status"] == 503


@pytest.mark.parametrize(
    ("fault", "status", "content"),
    [
        ({"action": "status"}, 500, b'{"detail": "Internal Server Error"}'),
        ({"action": "status", "status": 429}, 429, b"Request was throttled"),
        ({"action": "status", "status": 403}, 403, b"permission"),
        ({"action": "status", "status": 599}, 599, b"Error"),
        ({"action": "status", "status": 204, "body": "x"}, 204, b""),
        ({"action": "status", "status": 200, "body": {"success": False}}, 200, b'{"success": false}'),
        ({"action": "status", "status": 502, "body": "<html>"}, 502, b"<html>"),
        ({"action": "garbage"}, 200, b"<!doctype html>"),
        ({"action": "redirect"}, 302, b"Found"),
        ({"action": "truncate"}, 200, b'{"success"'),
        ({"action": "truncate", "after_effect": True}, 200, b'{"success"'),
        ({"action": "slow", "pace_s": 0}, 200, b'"request_id"'),
    ],
)
async def test_each_fault_answers_in_its_way(fault: Json, status: int, content: bytes) -> None:
    box = Box()
    await box.control("faults", [fault])
    answer = await box.send("GET", "/balance/")
    assert answer.status_code == status
    assert content in answer.content
    assert (await box.send("GET", "/balance/")).status_code == 200


async def test_a_redirect_goes_where_it_is_told() -> None:
    box = Box()
    away = {"location": "https://elsewhere.example/"}
    await box.control("faults", [{"action": "redirect"}, {"action": "redirect", "status": 307, "headers": away}])
    first, second = await stop(box), await stop(box)
    assert first.headers["location"] == "/api/elsewhere/"
    assert (second.status_code, second.headers["location"]) == (307, "https://elsewhere.example/")


async def test_a_slow_answer_is_the_true_one_and_takes_effect() -> None:
    box = Box()
    await box.control("faults", [{"action": "slow", "pace_s": 0}])
    assert (await stop(box)).json()["status"] == "STOPPING"
    assert box.effects() == [STOP]


async def test_a_fault_is_for_its_method_and_path_and_wears_off() -> None:
    box = Box()
    given = [{"action": "status", "method": "GET", "path": "/balance/", "times": 2}]
    await box.control("faults", given)
    assert (await box.send("GET", "/regions/")).status_code == 200
    statuses = [(await box.send("GET", "/balance/")).status_code for _ in range(3)]
    assert statuses == [500, 500, 200]
    await box.control("faults", given)
    assert (await box.control("faults"))[0]["times"] == 2
    await box.control("faults", [])
    assert (await box.send("GET", "/balance/")).status_code == 200


@pytest.mark.parametrize("after", [False, True])
async def test_a_reset_in_process_is_a_connection_error(*, after: bool) -> None:
    box = Box()
    await box.control("faults", [{"action": "reset", "after_effect": after}])
    with pytest.raises(ConnectionResetError):
        await stop(box)
    assert box.effects() == [STOP] * after
    assert (await box.control("requests"))[0]["status"] is None


async def test_a_stall_in_process_lasts_until_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "STALL_S", 0.02)
    box = Box()
    await box.control("faults", [{"action": "stall"}])
    with anyio.fail_after(2), pytest.raises(ConnectionResetError):
        await stop(box)


async def test_a_caller_who_leaves_in_the_middle_of_a_body_changes_nothing() -> None:
    box = Box()
    messages: Iterator[Json] = iter(
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> Json:
        return next(messages)

    async def send(_: object) -> None:
        raise AssertionError

    path = f"/api/instances/{box.instance('train-1')}/stop/"
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": []}
    await box.app(scope | {"query_string": b"", "root_path": ""}, receive, send)
    assert box.effects() == []


@pytest.mark.parametrize("after", [False, True])
async def test_a_reset_is_real_at_the_socket(*, after: bool) -> None:
    async with wired() as box:
        await box.control("faults", [{"action": "reset", "after_effect": after}])
        with pytest.raises(httpx2.ReadError):
            await stop(box)
        assert box.effects() == [STOP] * after
        assert (await box.send("GET", "/balance/")).status_code == 200


async def test_the_peer_sees_a_reset_and_no_mere_close() -> None:
    async with wired() as box:
        await box.control("faults", [{"action": "reset"}])
        port = box.client.base_url.port or 0
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/balance/ HTTP/1.1\r\nhost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_a_cut_answer_promises_more_than_it_sends() -> None:
    async with wired() as box:
        await box.control("faults", [{"action": "truncate", "after_effect": True}])
        with pytest.raises(httpx2.RemoteProtocolError):
            await stop(box)
        assert box.effects() == [STOP]


async def test_a_stall_holds_the_connection_until_the_caller_goes() -> None:
    async with wired() as box:
        await box.control("faults", [{"action": "stall", "after_effect": True}])
        with pytest.raises(httpx2.ReadTimeout):
            await box.send("POST", f"/instances/{box.instance('train-1')}/stop/", timeout=SILENT)
        assert box.effects() == [STOP]


async def test_a_slow_answer_drips_byte_by_byte() -> None:
    async with wired() as box:
        await box.control("faults", [{"action": "slow", "pace_s": 0.001}])
        headers = {"Authorization": "Bearer sim-key"}
        async with box.client.stream("GET", "/api/balance/", headers=headers) as answer:
            parts = [part async for part in answer.aiter_raw()]
        assert len(parts) > 20
        assert b"".join(parts).startswith(b'{"success":true')


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`serve` in a process of its own, ready to answer."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    code = f"from barrack_mcp.simulator.server import serve; serve(host='127.0.0.1', port={port})"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + PATIENT_S
            while time.monotonic() < deadline and not _listens(port):
                time.sleep(0.05)
            yield process, port
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_nothing_and_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    with running() as (process, port):
        headers = {"Authorization": "Bearer sim-key"}
        answer = httpx2.get(f"http://127.0.0.1:{port}/api/balance/", headers=headers, trust_env=False)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENT_S)
    assert answer.json()["balance"]["currency"] == "USD"
    assert (process.returncode, out, err) == (0, b"", b"")


def test_the_fake_can_listen_in_any_thread() -> None:
    seen: list[int] = []

    async def ask() -> None:
        async with wired() as box:
            seen.append((await box.send("GET", "/balance/")).status_code)

    thread = threading.Thread(target=anyio.run, args=(ask,))
    thread.start()
    thread.join(PATIENT_S)
    assert seen == [200]


@pytest.mark.slow
def test_a_stalled_caller_does_not_keep_serve_from_ending() -> None:
    with running() as (process, port), httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        client.post("/_sim/faults", json=[{"action": "stall"}])
        with pytest.raises(httpx2.ReadTimeout):
            client.get("/api/balance/", timeout=SILENT)
        with socket.create_connection(("127.0.0.1", port)) as held:
            client.post("/_sim/faults", json=[{"action": "stall"}])
            held.sendall(b"GET /api/balance/ HTTP/1.1\r\nhost: x\r\n\r\n")
            while len(client.get("/_sim/requests").json()) < 2:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENT_S) == 0


def test_serve_does_not_start_on_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        serve(host="127.0.0.1", port=taken.getsockname()[1])
