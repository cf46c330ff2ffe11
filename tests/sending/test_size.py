"""Answers that are no answers: pages, wrong types, endless ones, huge ones. Run as a program, it measures memory."""

from __future__ import annotations

import contextlib
import gzip
import json as text
import resource
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from barrack_mcp.account.pages import presented
from barrack_mcp.api.answer import MAX_ANSWER_BYTES, MAX_DEPTH, MAX_PARTS
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import BY_TOOL
from tests.support.answers import Answers, client, json
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
LIST = BY_TOOL["list_instances"]
STOP = BY_TOOL["stop_instance"]
MB = 2**20
JSON_TYPE = {"content-type": "application/json"}


class Lazy(httpx2.AsyncByteStream):
    """A body that is made as it is read, and knows how far that went."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.taken += len(chunk)
            yield chunk


def lazily(chunks: Callable[[], Iterator[bytes]], status: int = 200, **headers: str) -> Callable[[], Any]:
    named = JSON_TYPE | {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer() -> httpx2.Response:
        return httpx2.Response(status, headers=named, stream=Lazy(chunks()))

    return answer


def repeated(piece: bytes, total: int, *, first: bytes = b"", last: bytes = b"") -> Callable[[], Iterator[bytes]]:
    def chunks() -> Iterator[bytes]:
        yield first
        count = 65_536 // len(piece)
        for _ in range(total // (count * len(piece))):
            yield piece * count
        yield last

    return chunks


def bomb() -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(b"[")
    for _ in range(50):
        packed += packer.compress(b"0," * (MB // 2))
    yield packed + packer.compress(b"0]") + packer.flush()


HUGE: dict[str, Callable[[], Any]] = {
    "50 MB of text": lazily(repeated(b"x", 50 * MB, first=b'{"message":"', last=b'"}')),
    "50 MB announced": lazily(repeated(b"x", 50 * MB), content_length=str(50 * MB)),
    "an absurd length": lazily(repeated(b"x", 50 * MB), content_length="9" * 30),
    "a million rows": lazily(repeated(b'{"a":1},', 8 * MB, first=b'{"instances":[', last=b"{}]}")),
    "a million empty rows": lazily(repeated(b"{},", 3 * MB, first=b"[", last=b"{}]")),
    "a million lists": lazily(repeated(b"[],", 3 * MB, first=b"[", last=b"[]]")),
    "a zip bomb": lazily(bomb, content_encoding="gzip"),
    "deep nesting": lazily(repeated(b"[", 100_000)),
}
ROW = b'{"a":1234567},'
ROWS = MAX_PARTS // 3 - 2
LARGEST: dict[str, Callable[[], Any]] = {
    "wide text": lazily(repeated(b"x", MAX_ANSWER_BYTES - 100_000, first='{"message":"😀'.encode(), last=b'"}')),
    "as many rows as may be": lazily(lambda: iter([b'{"instances":[', ROW * ROWS, b"{}]}"])),
    "as many names as may be": lazily(
        lambda: iter([b'{"x":1', b"".join(b',"%06d":[]' % n for n in range(MAX_PARTS // 3 - 10)), b"}"])
    ),
}


def test_the_largest_answers_are_near_the_limits() -> None:
    assert MAX_ANSWER_BYTES == 4 * MB
    assert sum(map(len, repeated(b"x", MAX_ANSWER_BYTES - 100_000)())) > 0.95 * MAX_ANSWER_BYTES


@pytest.mark.promise("N8")
@pytest.mark.parametrize("kind", HUGE)
async def test_a_huge_answer_is_a_typed_error_and_not_fetched_again(kind: str) -> None:
    transport = Answers(HUGE[kind])
    with pytest.raises(ApiError) as error:
        await client(transport).send(LIST, {})
    assert error.value.failure is Failure.SILENT
    assert "was not read" in error.value.words
    assert (error.value.uncertain, error.value.lasting, len(transport.requests)) == (True, True, 1)


@pytest.mark.promise("N8")
async def test_no_more_is_taken_of_a_huge_answer_than_could_be_one() -> None:
    bodies: list[Lazy] = []

    async def endless() -> httpx2.Response:
        bodies.append(Lazy(repeated(b"x", 50 * MB)()))
        return httpx2.Response(200, headers=JSON_TYPE, stream=bodies[-1])

    with pytest.raises(ApiError):
        await client(Answers(endless)).send(LIST, {})
    assert [body.taken <= MAX_ANSWER_BYTES + 65_536 for body in bodies] == [True]


@pytest.mark.slow
@pytest.mark.parametrize("kind", LARGEST)
async def test_the_largest_answer_that_may_be_is_read(kind: str) -> None:
    body = await client(Answers(LARGEST[kind])).send(LIST, {})
    assert isinstance(body, dict)


async def test_a_huge_refusal_is_a_refusal_all_the_same() -> None:
    transport = Answers(lazily(repeated(b"x", 50 * MB), status=400))
    with pytest.raises(ApiError) as error:
        await client(transport).send(STOP, {"instance_id": "BRK-1D"})
    assert (error.value.failure, error.value.status, error.value.uncertain) == (Failure.REJECTED, 400, False)


async def test_a_refusal_whose_body_breaks_off_is_a_refusal_all_the_same() -> None:
    def broken() -> Iterator[bytes]:
        yield b'{"detail": "Slow'
        raise httpx2.ReadError("reset")

    for status, failure in ((400, Failure.REJECTED), (429, Failure.THROTTLED), (502, Failure.BROKEN)):
        with pytest.raises(ApiError) as error:
            await client(Answers(lazily(broken, status=status))).send(STOP, {"instance_id": "BRK-1D"})
        assert (error.value.failure, error.value.status) == (failure, status)
        assert "could not be read" in error.value.words


@pytest.mark.promise("N8")
@pytest.mark.parametrize(
    "body",
    ["text", 7, True, [], [1, "two", None], {"instances": 7}, {"instances": None}, {"instances": [[1], None]},
     {}, {"success": None, "unheard": {"of": 1}}, {"instances": [{"gpu_count": "many", "name": {"a": []}}]}],
)  # fmt: skip
async def test_json_of_any_other_type_reaches_the_caller_as_it_is(body: Any) -> None:
    assert await client(Answers(json(body))).send(LIST, {}) == body


async def test_null_is_an_answer() -> None:
    assert await client(Answers(httpx2.Response(200, content=b"null"))).send(LIST, {}) is None


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1, 900, 20_000])
async def test_nesting_has_an_end(depth: int) -> None:
    answer = httpx2.Response(200, content=b"[" * depth + b"]" * depth)
    api = client(Answers(answer))
    if depth <= MAX_DEPTH:
        assert await api.send(LIST, {})
        return
    with pytest.raises(ApiError, match="nested too deeply"):
        await api.send(LIST, {})


@pytest.mark.parametrize(
    ("content", "encoding", "words"),
    [
        (gzip.compress(b'{"a": 1}', mtime=0)[:-9], "gzip", "broke off"),
        (b"no gzip", "gzip", "packed in a broken way"),
        (b"anything", "br", "packed in a way that was not asked for"),
    ],
)
async def test_a_packed_answer_that_cannot_be_unpacked_is_no_answer(content: bytes, encoding: str, words: str) -> None:
    broken = lazily(lambda: iter([content]), content_encoding=encoding)
    with pytest.raises(ApiError, match=words) as error:
        await client(Answers(broken)).send(STOP, {"instance_id": "BRK-1D"})
    assert error.value.uncertain


async def test_packed_answers_are_unpacked() -> None:
    packed = lazily(lambda: iter([gzip.compress(b'{"a": 1}', mtime=0)]), content_encoding="gzip")
    assert await client(Answers(packed)).send(LIST, {}) == {"a": 1}
    nothing = lazily(lambda: iter([]), content_encoding="gzip")
    assert await client(Answers(nothing)).send(STOP, {"instance_id": "BRK-1D"}) == {}


@pytest.mark.parametrize("half", [rb"\ud83d", b"\xed\xa0\xbd"], ids=["written", "encoded"])
async def test_half_a_character_from_the_api_does_not_break_what_is_said_of_it(half: bytes) -> None:
    lone = httpx2.Response(200, content=rb'{"name": "a%b", "pair": "\ud83d\ude00"}' % half)
    assert await client(Answers(lone)).send(LIST, {}) == {"name": "a\ufffd", "pair": "😀"}


@pytest.mark.slow
@pytest.mark.promise("N8")
def test_no_answer_makes_memory_grow_by_64_mb() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.sending.test_size"], cwd=ROOT, capture_output=True, text=True, check=True,
        timeout=PATIENT_S,
    )  # fmt: skip
    growth = text.loads(run.stdout)
    assert set(growth) == {*HUGE, *LARGEST}
    assert max(growth.values()) < 64, growth


async def _measured() -> dict[str, float]:
    """The growth of this process's largest size so far, in MB, after each answer."""
    presented(LIST, await client(Answers(json({"instances": [{}]}))).send(LIST, {}), {})
    before = _largest()
    growth = {}
    for kind, answer in (HUGE | LARGEST).items():
        with anyio.fail_after(PATIENT_S):
            with contextlib.suppress(ApiError):
                presented(LIST, await client(Answers(answer)).send(LIST, {}), {})
        growth[kind] = _largest() - before
    return growth


def _largest() -> float:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (MB if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    sys.stdout.write(text.dumps(anyio.run(_measured)))
