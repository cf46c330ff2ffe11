"""The log as JSON lines: each whole, each with its request, and no secret in any."""

from __future__ import annotations

import io
import json
import logging
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from pydantic import SecretStr

from barrack_mcp.api.redact import HidingFormatter, Redaction
from barrack_mcp.cli.logs import JsonLines, TextLines
from barrack_mcp.state.audit.origin import Origin, coming_from
from tests.support.patience import PATIENT_S
from tests.support.running import environment

pytestmark = pytest.mark.anyio

SECRET = 'pa"ss\\word/é-1'
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Zt1RkmvQ3a4vXbJ8mH5v3Jg5y6uQmE7lG0k2u1YtC"
KNOWING = Redaction(SecretStr(SECRET))


class Odd:
    """Can't be written, and its parts may hold anything."""

    def __str__(self) -> str:
        raise ZeroDivisionError(SECRET)

    __repr__ = __str__


def written(*args: Any, error: BaseException | None = None) -> list[dict[str, Any]]:
    """Log once; answer the lines."""
    return [json.loads(line) for line in put(JsonLines(KNOWING), *args, error=error).splitlines()]


def put(form: logging.Formatter, *args: Any, error: BaseException | None = None) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(HidingFormatter(form, KNOWING))
    record = logging.LogRecord("barrack_mcp.x", logging.WARNING, "x.py", 1, args[0], args[1:], None)
    if error is not None:
        record.exc_info = (type(error), error, error.__traceback__)
    handler.emit(record)
    return stream.getvalue()


def test_a_line_for_people_ends_with_its_request_where_many_come() -> None:
    for transport in ("http", "sse"):
        with coming_from(Origin("r-1", transport)):
            assert put(TextLines(), "said %s", SECRET) == "barrack-mcp: said [secret] (request r-1)\n"
    with coming_from(Origin("r-1", "stdio")):
        assert put(TextLines(), "said") == "barrack-mcp: said\n"
    assert put(TextLines(), "said") == "barrack-mcp: said\n"


def test_each_record_is_one_line_that_says_when_how_bad_by_whom_what_and_for_which_request() -> None:
    with coming_from(Origin("r-1", "http")):
        (line,) = written("two\nlines, %s", "a\u2028b\r\x1b[0m")
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "barrack_mcp.x",
        "message": "two\nlines, a\u2028b\r\x1b[0m",
        "request_id": "r-1",
        "transport": "http",
    }
    (outside,) = written("nothing is asked for")
    assert {"request_id", "transport"}.isdisjoint(outside)


def test_no_line_shows_a_secret_and_each_stays_json() -> None:
    try:
        int(f"with {SECRET} in it")
    except ValueError as error:
        found = [
            *written("said %s", SECRET),
            *written(SECRET, error=error),
            *written("odd %s", Odd()),
            *written("%d", "x"),
        ]
    assert len(found) == 4
    assert SECRET not in json.dumps(found, ensure_ascii=False)
    assert all("ss\\word" not in str(line) for line in found)
    assert found[0]["message"] == "said [secret]"
    assert "ValueError: invalid literal for int() with base 10: 'with [secret] in it'" in found[1]["error"]
    assert found[2]["message"] == "a record could not be written (ZeroDivisionError)"


@pytest.mark.slow
async def test_a_server_writes_json_lines_from_its_start_on(tmp_path: Path) -> None:
    settings = environment(BARRACK_SIMULATOR="1", BARRACK_LOG_FORMAT="json", BARRACK_STATE=str(tmp_path / "state.db"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "barrack_mcp", "serve", "--transport", "http", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    async with await anyio.open_process(command, env=settings, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            with anyio.fail_after(PATIENT_S):
                async with httpx2.AsyncClient(headers={"X-Request-Id": "ask-1"}, timeout=PATIENT_S) as http:
                    while not await _answers(http, f"{url}/health"):
                        await anyio.lowlevel.checkpoint()
                    async with Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client:
                        await client.call_tool("create_ssh_key", {"name": "mine", "public_key": PUBLIC})
                        await client.call_tool("delete_ssh_key", {"key_id": "mine"})
                process.terminate()
                log = b"".join([each async for each in process.stderr])
        finally:
            if process.returncode is None:
                process.kill()
    lines = [json.loads(line) for line in log.splitlines()]
    assert "Serving http" in lines[0]["message"]
    assert [line["request_id"] for line in lines if "A call waits for a person" in line["message"]] == ["ask-1"]
    assert all(line["time"] and line["level"] and line["logger"] and line["message"] for line in lines)


async def _answers(http: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == 200
    except httpx2.ConnectError:
        return False
