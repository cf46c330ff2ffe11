"""One question to the API: what came of it, whatever came."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from barrack_mcp.api.probe import Form, Heard, Probe, Trouble, open_probe
from tests.doctor.servers import http, serving, told

pytestmark = pytest.mark.anyio

BEARER = Form("Authorization", "Bearer {key}")
App = Callable[[Any, Any, Any], Awaitable[None]]


def raising(error: Exception) -> App:
    async def app(_: Any, __: Any, ___: Any) -> None:
        raise error

    return app


def untrusted(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_code = code
    return error


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (OSError(errno.ENETUNREACH, "x"), Trouble.NO_WAY),
        (OSError(errno.EHOSTUNREACH, "x"), Trouble.NO_WAY),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), Trouble.REFUSED),
        (TimeoutError(errno.ETIMEDOUT, "x"), Trouble.NO_CONNECTION),
        (ssl.SSLError("x"), Trouble.NO_TLS),
        (untrusted(10), Trouble.EXPIRED),
        (untrusted(9), Trouble.NOT_YET),
        (untrusted(62), Trouble.OTHER_HOST),
        (untrusted(20), Trouble.UNKNOWN_ISSUER),
        (untrusted(26), Trouble.NO_TLS),
    ],
    ids=str,
)
async def test_each_way_of_not_reaching_it_is_told(error: Exception, trouble: Trouble) -> None:
    async with open_probe("http://127.0.0.1/api", None, app=raising(error)) as probe:
        assert await probe.get("/x", seconds=5) is trouble


async def asked(answer: bytes, **more: Any) -> tuple[Heard | Trouble, list[bytes]]:
    async with serving(lambda _: answer) as (url, heard), open_probe(f"{url}/api", SecretStr("k-1")) as probe:
        return await probe.get("/x", seconds=5, **more), heard


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (http("200 OK", b"[" + b"[]," * 60_000 + b"[]]"), "has more than 50,000 parts and was not read"),
        (http("200 OK", b"[" * 100 + b"]" * 100), "is nested too deeply and was not read"),
        (http("200 OK", b"{", Content_Type="application/json"), "is no JSON"),
        (http("200 OK", b" <HTML><body>"), "is a web page"),
        (http("200 OK", b"x", Content_Encoding="br"), "is packed in a way that was not asked for"),
    ],
)
async def test_an_answer_that_can_not_be_used_says_why(answer: bytes, wrong: str) -> None:
    heard, _ = await asked(answer)
    assert isinstance(heard, Heard)
    assert (heard.body, heard.wrong) == (None, wrong)


async def test_the_key_goes_only_where_a_form_says_how_and_the_request_is_a_get() -> None:
    _, without = await asked(told({}))
    _, with_key = await asked(told({}), form=BEARER, query={"a": "b c"})
    assert b"k-1" not in without[0]
    assert without[0].startswith(b"GET /api/x HTTP/1.1\r\n")
    assert with_key[0].startswith(b"GET /api/x?a=b+c HTTP/1.1\r\n")
    assert b"authorization: bearer k-1\r\n" in with_key[0].lower()


@pytest.mark.parametrize(
    ("location", "absolute"),
    [("/login", "/login"), ("https://a.example/x", "https://a.example/x"), ("http://[::1", "")],
)
async def test_a_redirect_is_told_and_never_followed(location: str, absolute: str) -> None:
    heard, requests = await asked(http("302 Found", Location=location, Set_Cookie="session=1"))
    assert isinstance(heard, Heard)
    assert heard.location.endswith(absolute)
    assert bool(heard.location) == bool(absolute)
    assert len(requests) == 1


async def test_cookies_are_not_kept() -> None:
    answer = told({}, Set_Cookie="session=1; Path=/")
    async with serving(lambda _: answer) as (url, heard), open_probe(f"{url}/api", None) as probe:
        await probe.get("/x", seconds=5)
        await probe.get("/x", seconds=5)
    assert b"cookie" not in heard[1].lower()


def test_a_probe_has_no_way_to_send_anything_but_a_get() -> None:
    public = {name for name in dir(Probe) if not name.startswith("_")}
    assert public == {"get", "get_at", "key", "requests", "url"}
