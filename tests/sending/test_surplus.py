"""What a connection brings beside an answer is never taken for the answer to the next request."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from barrack_mcp.api.client import Client, open_client
from barrack_mcp.api.errors import ApiError
from barrack_mcp.api.http.network import Network
from barrack_mcp.catalogue import BY_TOOL
from tests.doctor.servers import certificate, told
from tests.support.clock import at_once
from tests.support.patience import PATIENT_S
from tests.support.running import KEY

pytestmark = pytest.mark.anyio

STOP = BY_TOOL["stop_instance"]
STOPPED = {"instance_id": "BRK-1D"}
FIRST = {"success": True, "message": "First."}
OWN = {"success": True, "message": "Its own."}
FORGED = told({"success": True, "message": "Forged."}, Connection="keep-alive")
HONEST = told(FIRST, Connection="keep-alive")
_LENGTH = re.compile(rb"(?i)content-length: (\d+)")


@asynccontextmanager
async def answering(
    folder: Path, first: tuple[bytes, ...], *, encrypted: bool
) -> AsyncIterator[tuple[Client, list[int]]]:
    """A client of an API that answers its first request with these bytes, and counts requests by connection."""
    issuer, tls = certificate(folder) if encrypted else (None, None)
    heard: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = len(heard)
        heard.append(0)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if length := _LENGTH.search(head):
                    await reader.readexactly(int(length[1]))
                heard[mine] += 1
                for part in first if sum(heard) == 1 else (told(OWN, Connection="keep-alive"),):
                    writer.write(part)
                await writer.drain()
        except (OSError, EOFError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        with anyio.fail_after(PATIENT_S):
            async with open_client(
                url=f"http{'s' if encrypted else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/api",
                key=SecretStr(KEY),
                auth_header="Authorization",
                auth_template="Bearer {key}",
                seconds=20,
                network=Network(ca_file=issuer),
                sleep=at_once,
            ) as client:
                yield client, heard
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.promise("N12")
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    "first",
    [
        (HONEST + FORGED,),
        (HONEST, FORGED),
        (HONEST + b"\r\n",),
        (b"HTTP/1.1 204 No Content\r\n\r\n" + FORGED,),
        (told(FIRST, Connection="keep-alive") + FORGED,),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + FORGED,),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n" + FORGED,),
    ],
    ids=["at once", "by records", "a line", "beside no content", "behind a length", "chunks", "not modified"],
)
async def test_what_comes_beside_an_answer_is_never_the_next_ones(
    tmp_path: Path,
    first: tuple[bytes, ...],
    encrypted: bool,  # noqa: FBT001 - a table's column
) -> None:
    async with answering(tmp_path, first, encrypted=encrypted) as (client, heard):
        # what came first is judged by its own status
        with suppress(ApiError):
            await client.send(STOP, STOPPED)
        assert await client.send(STOP, STOPPED) == OWN
        assert heard == [1, 1]


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_a_connection_that_brings_answers_alone_is_kept(
    tmp_path: Path,
    encrypted: bool,  # noqa: FBT001 - a table's column
) -> None:
    async with answering(tmp_path, (HONEST,), encrypted=encrypted) as (client, heard):
        assert await client.send(STOP, STOPPED) == FIRST
        for _ in range(3):
            assert await client.send(STOP, STOPPED) == OWN
        assert heard == [4]
