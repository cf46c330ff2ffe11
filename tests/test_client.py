"""Sending, and what every kind of answer means."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import anyio
import httpx2
import pytest
from pydantic import SecretStr

from barrack_mcp.api.answer import MAX_ANSWER_BYTES
from barrack_mcp.api.client import open_client
from barrack_mcp.api.errors import ApiError, Failure, read_error, seconds_to_wait
from barrack_mcp.catalogue import BY_TOOL
from tests.support.answers import CANARY, Answers, client, json
from tests.support.clock import Clock

pytestmark = pytest.mark.anyio

LIST = BY_TOOL["list_instances"]
STOP = BY_TOOL["stop_instance"]


async def failure(answer: Any, *, seconds: float = 5) -> ApiError:
    transport = Answers(answer)
    with pytest.raises(ApiError) as error:
        await client(transport, seconds=seconds).send(STOP, {"instance_id": "BRK-1D"})
    safe = error.value.failure in (Failure.UNREACHABLE, Failure.THROTTLED)
    assert len(transport.requests) == error.value.attempts == (3 if safe else 1)
    assert CANARY not in f"{error.value!r} {error.value} {error.value.sentence}"
    return error.value


async def test_arguments_go_into_path_query_and_body_as_the_operation_says() -> None:
    transport = Answers(json({"success": True}))
    api = client(transport)
    await api.send(BY_TOOL["get_instance"], {"instance_id": "BRK-1D"})
    await api.send(LIST, {"page": 2, "status": "ACTIVE"})
    await api.send(BY_TOOL["resize_volume"], {"volume_id": "BRK-1V", "size_gb": 200})
    await api.send(STOP, {"instance_id": "BRK-1D"})
    sent = [(r.method, str(r.url).removeprefix("https://barrack.example/api"), r.content) for r in transport.requests]
    assert sent == [
        ("GET", "/instances/BRK-1D/", b""),
        ("GET", "/instances/?page=2&status=ACTIVE", b""),
        ("POST", "/volumes/BRK-1V/resize/", b'{"size_gb":200}'),
        ("POST", "/instances/BRK-1D/stop/", b""),
    ]
    assert "content-type" not in transport.requests[3].headers


@pytest.mark.parametrize(
    ("header", "template", "value"),
    [
        ("Authorization", "Bearer {key}", f"Bearer {CANARY}"),
        ("Authorization", "Api-Key {key}", f"Api-Key {CANARY}"),
        ("X-API-Key", "{key}", CANARY),
    ],
)
async def test_the_key_rides_in_the_header_that_the_settings_name(header: str, template: str, value: str) -> None:
    transport = Answers(json({}))
    await client(transport, header=header, template=template).send(LIST, {})
    assert transport.requests[0].headers[header] == value


async def test_without_a_key_nothing_is_sent() -> None:
    async with open_client(
        url="https://barrack.example/api", key=None, auth_header="A", auth_template="{key}", seconds=1
    ) as api:
        with pytest.raises(ApiError, match="BARRACK_API_KEY") as error:
            await api.send(LIST, {})
    assert error.value.failure is Failure.NO_KEY


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_never_followed_and_says_that_the_path_is_wrong(status: int) -> None:
    error = await failure(httpx2.Response(status, headers={"location": "https://elsewhere.example/"}))
    assert error.failure is Failure.REDIRECTED
    assert "not followed" in error.words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"success": False, "message": "Name taken", "code": "NAME", "request_id": "0a1b2c3d"}, "Name taken"),
        ({"success": False, "error": "Name taken"}, "Name taken"),
        ({"success": False, "error": {"message": "Name taken", "code": "NAME"}}, "Name taken"),
        ({"detail": "Name taken"}, "Name taken"),
        ({"detail": [{"loc": ["body", "name"], "msg": "taken"}]}, "name: taken"),
        ({"name": ["Name taken"], "size_gb": ["Too small", "Not a number"]}, "size_gb: Too small Not a number"),
        ({"errors": {"name": ["Name taken"]}}, "name: Name taken"),
        ({"os_volume": {"name": ["Name taken"]}}, "os_volume: name: Name taken"),
        (["Name taken"], "Name taken"),
        ({}, "The API answered 400"),
        ([], "The API answered 400"),
        ("Name taken", "Name taken"),
    ],
)
async def test_every_error_body_is_read_in_the_apis_own_words(body: Any, words: str) -> None:
    error = await failure(json(body, 400))
    assert error.failure is Failure.REJECTED
    assert words in error.words
    assert "HTTP 400" in error.sentence


async def test_code_and_request_id_are_told_and_fields_are_kept_apart() -> None:
    error = await failure(json({"success": False, "message": "No", "code": "X9", "request_id": "0a1b2c3d"}, 409))
    assert error.sentence == "Barrack says «No» (HTTP 409, code X9, request_id 0a1b2c3d)."
    assert (await failure(json({"name": ["taken"], "code": 7}, 400))).fields == {"name": "taken"}


async def test_success_false_with_status_200_is_an_error() -> None:
    error = await failure(json({"success": False, "message": "Out of stock"}))
    assert (error.failure, error.words) == (Failure.REJECTED, "Out of stock")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Failure.UNAUTHORISED),
        (403, Failure.UNAUTHORISED),
        (404, Failure.REJECTED),
        (429, Failure.THROTTLED),
        (500, Failure.BROKEN),
        (503, Failure.BROKEN),
    ],
)
async def test_each_status_has_its_kind_of_failure(status: int, kind: Failure) -> None:
    error = await failure(json({"detail": "No"}, status))
    assert error.failure is kind
    assert error.uncertain is (status >= 500)


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, text="<html>Sign in</html>", headers={"content-type": "text/html"}),
        httpx2.Response(200, content=b'{"success": tr', headers={"content-type": "application/json"}),
        httpx2.Response(200, content=b"\xff\xfe"),
        httpx2.Response(200, content=b"[" * 100_000),
        httpx2.Response(200, content=b"1" * (MAX_ANSWER_BYTES + 1)),
        httpx2.ReadTimeout("late"),
        httpx2.ReadError("reset"),
        httpx2.RemoteProtocolError("half an answer"),
        OSError(104, "Connection reset by peer"),
    ],
    ids=lambda answer: type(answer).__name__,
)
async def test_a_sent_request_without_a_readable_answer_may_have_taken_effect(answer: Any) -> None:
    error = await failure(answer)
    assert error.failure is Failure.SILENT
    assert error.uncertain


async def test_an_error_page_says_that_it_is_no_json() -> None:
    page = httpx2.Response(404, text="<html>", headers={"content-type": "text/html"})
    assert "a web page" in (await failure(page)).words


async def test_silence_ends_at_the_time_limit() -> None:
    async def silence() -> httpx2.Response:
        await anyio.sleep_forever()
        raise AssertionError

    with anyio.fail_after(3):
        error = await failure(silence, seconds=0.05)
    assert error.failure is Failure.SILENT
    assert "No answer within 0.05 s" in error.words


async def test_silence_is_told_in_all_and_by_how_often_it_was_tried() -> None:
    for tool, arguments, words in (
        ("list_instances", {}, "No answer within 30 s (3 tries)"),
        ("stop_instance", {"instance_id": "i"}, "No answer within 30 s"),
    ):
        clock = Clock()

        async def silence(clock: Clock = clock) -> httpx2.Response:
            clock.at += 10
            raise TimeoutError

        api = client(Answers(silence), seconds=30, clock=clock)
        with pytest.raises(ApiError) as caught:
            await api.send(BY_TOOL[tool], arguments)
        assert (caught.value.words, caught.value.failure) == (words, Failure.SILENT)


async def test_what_never_reached_the_api_is_said_so_with_the_cause() -> None:
    async with open_client(
        url="http://127.0.0.1:1/api", key=SecretStr(CANARY), auth_header="A", auth_template="{key}", seconds=5
    ) as api:
        with pytest.raises(ApiError) as error:
            await api.send(LIST, {})
    assert error.value.failure is Failure.UNREACHABLE
    assert not error.value.uncertain
    assert (await failure(httpx2.ConnectTimeout("slow"))).words.endswith("(timed out)")
    assert (await failure(httpx2.ConnectError("odd"))).words.endswith("(ConnectError)")


async def test_an_empty_answer_and_numbers_that_json_lacks_are_read() -> None:
    assert await client(Answers(httpx2.Response(204))).send(STOP, {"instance_id": "BRK-1D"}) == {}
    odd = httpx2.Response(200, content=b'{"total": NaN, "page": -Infinity}')
    assert await client(Answers(odd)).send(LIST, {}) == {"total": None, "page": None}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 0), ("1.5", 1.5), ("-1", None), ("NaN", None), ("inf", None), ("soon", None), (None, None)],
)
def test_retry_after_is_read_as_seconds(header: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(header) == seconds


def test_retry_after_is_read_as_a_date() -> None:
    soon = seconds_to_wait(email.utils.formatdate(time.time() + 60, usegmt=True))
    assert soon is not None
    assert 55 < soon <= 60
    assert seconds_to_wait("Thu, 01 Jan 1970 00:00:00 GMT") == 0


def test_words_of_the_api_have_an_end() -> None:
    assert len(read_error(400, {"message": "x" * 10_000}).words) == 1_000
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    assert read_error(400, {"detail": deep}).words
