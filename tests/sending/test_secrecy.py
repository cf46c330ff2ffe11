"""The key goes to the API and nowhere else: no other host, no log, no text of an error."""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2
import pytest
from pydantic import SecretStr

from barrack_mcp.api.client import KeyAuth, open_client
from barrack_mcp.api.errors import ApiError, Failure
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, Operation
from barrack_mcp.simulator import create_app, faults
from tests.support import examples
from tests.support.answers import CANARY, Answers, Behaviour, client, json
from tests.support.patience import PATIENT_S
from tests.support.running import listening

pytestmark = pytest.mark.anyio

STATE: Any = create_app(now=lambda: 0.0).state.barrack.state()
LIST = BY_TOOL["list_instances"]
STOP = BY_TOOL["stop_instance"]
ELSEWHERE = (
    "https://elsewhere.example/api/instances/",
    "//elsewhere.example/",
    "http://barrack.example/api/",
    "https://barrack.example:444/api/",
    "https://user:word@barrack.example/api/",
    "/api/other/",
    "ftp://barrack.example/",
    "javascript:alert(1)",
    "https://[broken/",
    "\\\\elsewhere.example\\",
)


@pytest.mark.promise("S3")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.tool)
async def test_no_operation_follows_a_redirect_to_another_place(operation: Operation) -> None:
    moved = httpx2.Response(307, headers={"location": "https://elsewhere.example/"})
    transport = Answers(moved)
    with pytest.raises(ApiError) as error:
        await client(transport).send(operation, examples.good(operation, STATE))
    assert (error.value.failure, error.value.uncertain) == (Failure.REDIRECTED, True)
    assert [request.url.host for request in transport.requests] == ["barrack.example"]


@pytest.mark.promise("S3")
@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", [*ELSEWHERE, ""])
async def test_whatever_the_place_is_it_is_not_gone_to(status: int, location: str) -> None:
    transport = Answers(httpx2.Response(status, headers={"location": location}))
    with pytest.raises(ApiError) as error:
        await client(transport).send(STOP, {"instance_id": "BRK-1D"})
    assert error.value.failure is Failure.REDIRECTED
    assert "elsewhere.example" not in error.value.sentence
    assert len(transport.requests) == 1


@pytest.mark.promise("S3")
async def test_a_real_redirect_brings_no_request_to_the_other_server() -> None:
    ours, theirs = create_app(now=lambda: 0.0), create_app(now=lambda: 0.0)
    with anyio.fail_after(PATIENT_S):
        async with (
            listening(ours) as url,
            listening(theirs) as other,
            open_client(
                url=f"{url}/api", key=SecretStr("sim-key"), auth_header="Authorization",
                auth_template="Bearer {key}", seconds=10,
            ) as api,
        ):  # fmt: skip
            fault = {"location": f"{other}/api/instances/"}
            for status in (301, 302, 307, 308):
                ours.state.barrack.faults.replace(_redirect(status, fault))
                with pytest.raises(ApiError, match="not followed"):
                    await api.send(LIST, {})
    assert len(ours.state.barrack.requests) == 4
    assert not theirs.state.barrack.requests


def _redirect(status: int, headers: dict[str, str]) -> Any:
    return faults.parse([{"action": "redirect", "status": status, "headers": headers}])


@pytest.mark.promise("S3")
async def test_an_absolute_url_as_an_argument_stays_an_argument() -> None:
    transport = Answers(json({"success": True}))
    api = client(transport)
    for evil in ("https://elsewhere.example/x", "//elsewhere.example", "@elsewhere.example", "?@elsewhere.example/"):
        await api.send(STOP, {"instance_id": evil})
        await api.send(LIST, {"status": evil})
    assert {request.url.host for request in transport.requests} == {"barrack.example"}
    assert {request.url.path.count("/") for request in transport.requests if request.method == "GET"} == {3}


async def test_no_cookie_of_the_api_comes_back_to_it() -> None:
    transport = Answers(json({"success": True}, set_cookie="session=stolen; Path=/"))
    api = client(transport)
    for _ in range(2):
        await api.send(LIST, {})
    assert not [request for request in transport.requests if "cookie" in request.headers]


async def broken_stream() -> httpx2.Response:
    class Broken(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"{"
            raise httpx2.ReadError("reset")

    return httpx2.Response(200, stream=Broken())


FAILING: list[Behaviour] = [
    httpx2.ConnectError(f"refused {CANARY}"),
    httpx2.LocalProtocolError(f"Illegal header value b'Bearer {CANARY}'"),
    httpx2.ReadError("reset"),
    OSError(104, "Connection reset by peer"),
    broken_stream,
    json({"detail": "Boom"}, 500),
    json({"detail": "No"}, 401),
    httpx2.Response(200, text="<html>"),
    httpx2.Response(200, headers={"content-length": "99999999"}),
]


@pytest.mark.parametrize("failing", FAILING, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
async def test_no_error_shows_the_key_not_even_with_the_values_of_its_frames(failing: Behaviour, header: str) -> None:
    api = client(Answers(failing), header=header)
    with pytest.raises(ApiError) as error:
        await api.send(LIST, {})
    frames = error.value.__traceback__
    assert frames is not None
    # the first frame is this test's own, which knows the key
    shown = traceback.TracebackException(ApiError, error.value, frames.tb_next, capture_locals=True)
    told = "".join(shown.format())
    assert "in send" in told
    assert CANARY not in told
    assert CANARY not in f"{error.value!r} {error.value} {error.value.sentence} {vars(error.value)}"
    assert error.value.__cause__ is None


def test_no_object_of_ours_shows_the_key() -> None:
    api = client(Answers(json({})))
    auth = KeyAuth(SecretStr(CANARY), header="Authorization", template="Bearer {key}")
    shown = f"{api!r} {api} {vars(api)} {auth!r} {auth} {vars(auth)}"
    assert CANARY not in shown


async def test_the_logs_stay_quiet_and_without_the_key_even_when_all_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with anyio.fail_after(PATIENT_S):
        async with (
            listening(create_app(now=lambda: 0.0)) as url,
            open_client(
                url=f"{url}/api", key=SecretStr(CANARY), auth_header="X-API-Key", auth_template="{key}", seconds=10
            ) as api,
        ):
            with pytest.raises(ApiError) as error:
                await api.send(LIST, {"status": "ACTIVE"})
    assert error.value.failure is Failure.UNAUTHORISED
    names = {record.name.split(".")[0] for record in caplog.records}
    assert not names & {"httpx2", "httpcore2"}
    assert CANARY not in caplog.text
