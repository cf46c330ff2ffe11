"""A document is read from its address without the key, without following anybody, and up to a size."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from barrack_mcp.api.http.fetch import FetchError, fetch
from tests.support.patience import PATIENT_S
from tests.support.running import listening

pytestmark = pytest.mark.anyio


class Place:
    """Answers every request with one thing, and keeps what was asked."""

    def __init__(self, status: int = 200, body: bytes = b"{}", times: int = 1, **headers: str) -> None:
        self.status, self.body, self.times = status, body, times
        self.headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append((scope["path"], scope["query_string"].decode(), headers))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        for number in range(self.times):
            await send({"type": "http.response.body", "body": self.body, "more_body": number + 1 < self.times})


@contextlib.asynccontextmanager
async def at(place: Place) -> AsyncIterator[str]:
    app: Any = place
    with anyio.fail_after(PATIENT_S):
        async with listening(app) as address:
            yield address


async def refused(url: str, **more: Any) -> FetchError:
    with pytest.raises(FetchError) as raised:
        await fetch(url, **more)
    return raised.value


async def test_what_stands_there_is_read_byte_for_byte_and_no_key_is_sent() -> None:
    place = Place(body="ä{".encode(), times=3)
    async with at(place) as address:
        assert await fetch(f"{address}/schema/?format=json") == "ä{ä{ä{".encode()
    ((path, query, headers),) = place.asked
    assert (path, query) == ("/schema/", "format=json")
    assert not {"authorization", "x-api-key", "cookie"} & set(headers)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://docs.example/openapi.json", "must begin with https://"),
        ("file:///etc/passwd", "must be a URL"),
        ("ftp://docs.example/x", "must begin with https://"),
        ("https://someone:secret@docs.example/x", "must not hold a user name"),
        ("https://", "must be a URL"),
    ],
)
async def test_an_address_that_is_not_read_is_refused_without_its_words(url: str, words: str) -> None:
    error = await refused(url)
    assert words in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    place = Place(status, location="/elsewhere")
    async with at(place) as address:
        error = await refused(f"{address}/x")
    assert "leads elsewhere" in str(error)
    assert len(place.asked) == 1


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_another_answer_than_success_is_told_with_its_status(status: int) -> None:
    async with at(Place(status)) as address:
        error = await refused(f"{address}/x")
    assert str(status) in str(error)
    assert error.reached


async def test_a_document_that_is_too_large_is_not_read_to_its_end() -> None:
    async with at(Place(body=b" " * 1000, times=3)) as address:
        assert len(await fetch(address, most=3000)) == 3000
        assert "larger than" in str(await refused(address, most=2999))


async def test_a_packed_document_is_not_unpacked() -> None:
    async with at(Place(content_encoding="gzip")) as address:
        assert "packed" in str(await refused(address))


async def test_nobody_there_is_told_as_unreachable() -> None:
    async with at(Place()) as address:
        pass
    error = await refused(address)
    assert not error.reached
    assert re.search(r"could not be reached .*\(Connection refused\)", str(error))


@pytest.mark.slow
async def test_a_place_that_stays_silent_ends_with_the_time() -> None:
    async def silent(_: Any, __: Any, ___: Any) -> None:
        await anyio.sleep(30)

    app: Any = silent
    with anyio.fail_after(60):
        async with listening(app) as address:
            error = await refused(address, seconds=0.2)
    assert not error.reached
    assert "0.2 s" in str(error)
