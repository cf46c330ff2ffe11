"""A secret is found by its value wherever it has strayed to: texts, JSON, logs, tracebacks."""

from __future__ import annotations

import base64
import html
import io
import json
import logging
import re
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, quote_plus

import anyio
import httpx2
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from barrack_mcp.api.answer import parse
from barrack_mcp.api.client import open_client
from barrack_mcp.api.errors import ApiError
from barrack_mcp.api.redact import HIDDEN, HidingFormatter, Redaction, protect
from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.config import read_settings
from tests.support.answers import Answers, dispatcher
from tests.support.answers import json as answered
from tests.support.patience import PATIENT_S
from tests.support.running import listening

CANARY = "canary-key-5c1d/+=&"
KNOWING = Redaction(SecretStr(CANARY))


def forms(secret: str) -> Iterator[str]:
    """How a secret may come back; a list of its own, not the product's."""
    yield secret
    yield f"Bearer {secret}"
    yield quote(secret, safe="")
    yield re.sub("%..", lambda code: code[0].lower(), quote(secret, safe=""))
    yield quote_plus(secret)
    yield json.dumps({"key": secret})
    yield json.dumps(secret).replace("/", "\\/")
    yield repr(secret)
    yield repr(secret.encode())
    yield html.escape(secret)
    yield secret.encode().hex()
    yield secret.encode().hex().upper()


def encoded(secret: str) -> Iterator[str]:
    for before in ("", "a", "ab", "user:"):
        for after in ("", "x", "xy"):
            text = f"{before}{secret}{after}".encode()
            yield base64.b64encode(text).decode()
            yield base64.urlsafe_b64encode(text).decode().rstrip("=")


@pytest.mark.promise("S1")
@pytest.mark.parametrize("text", list(forms(CANARY)))
def test_a_secret_is_hidden_however_it_is_written(text: str) -> None:
    hidden = KNOWING.hidden(f"before {text} after")
    assert HIDDEN in hidden
    assert "canary" not in hidden
    assert (hidden.startswith("before "), hidden.endswith(" after")) == (True, True)


@pytest.mark.parametrize("text", list(encoded(CANARY)))
def test_a_secret_is_hidden_in_base64_whatever_stands_beside_it(text: str) -> None:
    hidden = KNOWING.hidden(text)
    assert HIDDEN in hidden
    rest = hidden.replace(HIDDEN, "")
    # what is left encodes less than a character at each end, and what stood beside it
    assert len(rest) <= 12


@given(secret=st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=8, max_size=40))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_secret_is_hidden_however_it_is_written(secret: str) -> None:
    assume(secret not in HIDDEN)
    knowing = Redaction(SecretStr(secret))
    for text in (*forms(secret), *encoded(secret)):
        assert HIDDEN in knowing.hidden(text)
    assert secret not in knowing.hidden(f"a {secret}{secret} b")


def test_of_two_secrets_that_begin_alike_the_longer_is_hidden_whole() -> None:
    for secrets in (("canary-1", "canary-1-and-more"), ("canary-1-and-more", "canary-1")):
        knowing = Redaction(*map(SecretStr, secrets))
        assert knowing.hidden("a canary-1-and-more b canary-1 c") == f"a {HIDDEN} b {HIDDEN} c"


ODD = """sé"'k/+ =&<\\\tûÿ>>>???"""
"""What each way of writing a text down turns into something else."""
WRITTEN = {
    "as it is": ODD,
    "percents": quote(ODD, safe=""),
    "percents but for slashes": quote(ODD),
    "a form": quote_plus(ODD),
    "json": json.dumps(ODD)[1:-1],
    "json in full": json.dumps(ODD, ensure_ascii=False)[1:-1],
    "json with slashes": json.dumps(ODD)[1:-1].replace("/", "\\/"),
    "json in full with slashes": json.dumps(ODD, ensure_ascii=False)[1:-1].replace("/", "\\/"),
    "python": repr(ODD)[1:-1],
    "bytes": repr(ODD.encode())[2:-1],
    "html": html.escape(ODD),
    "hex": ODD.encode().hex(),
    "upper hex": ODD.encode().hex().upper(),
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_nothing_of_an_odd_secret_is_left_and_nothing_else_is_taken(text: str) -> None:
    knowing = Redaction(SecretStr(ODD))
    assert knowing.hidden(f"null None <{text}> ul on") == f"null None <{HIDDEN}> ul on"
    lower = re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), text)
    assert knowing.hidden(f"<{lower}>") == f"<{HIDDEN}>"


@pytest.mark.parametrize(("before", "first", "last"), [(0, 0, 10), (1, 2, 12), (2, 3, 13), (3, 4, 14)])
def test_of_base64_what_belongs_to_a_secret_alone_is_hidden(before: int, first: int, last: int) -> None:
    for secret in (b"8 bytes!", b"\xc3\xbb\xc3\xbf>>??"):
        knowing = Redaction(SecretStr(secret.decode() if b"8" in secret else secret.decode() + "??"))
        raw = b"abc"[:before] + (secret if b"8" in secret else secret + b"??") + b"xyz"
        end = last if b"8" in secret else (before + 10) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(raw).decode()
            assert knowing.hidden(text) == f"{text[:first]}{HIDDEN}{text[end:]}"


def test_a_secret_that_no_encoding_can_write_is_hidden_all_the_same() -> None:
    assert Redaction(SecretStr("half a \ud800 pair")).hidden("<half a \ud800 pair>") == f"<{HIDDEN}>"


def test_a_long_number_that_is_no_secret_stays() -> None:
    assert Redaction(SecretStr(CANARY)).hidden_in({"n": 123456789}) == {"n": 123456789}


def test_what_nobody_caught_is_told_with_its_frames_and_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    with log():
        try:
            fail()
        except OSError as error:
            caught = error
        whole = KNOWING.hidden("".join(traceback.format_exception(caught)))
        parts = SimpleNamespace(exc_type=OSError, exc_value=caught, exc_traceback=caught.__traceback__)
        hooks: list[Any] = [threading.excepthook, sys.unraisablehook]
        for hook in hooks:
            hook(parts)
            assert capsys.readouterr().err == whole
        sys.excepthook(OSError, caught, caught.__traceback__)
        assert capsys.readouterr().err == whole
        hooks[0](SimpleNamespace(exc_type=SystemExit, exc_value=SystemExit(), exc_traceback=None))
        assert capsys.readouterr().err == ""


def test_a_short_secret_wrecks_no_text() -> None:
    assert Redaction(SecretStr("sim-key"), SecretStr(""), None).hidden("sim-key and more") == "sim-key and more"


def test_a_secret_is_hidden_in_json_names_and_long_numbers_included() -> None:
    knowing = Redaction(SecretStr("12345678"), SecretStr(CANARY))
    body = {"a": [CANARY, {CANARY: 1}], "n": 12345678, "m": 1234567, "x": None, "y": True, "z": 1.5}
    assert knowing.hidden_in(body) == {
        "a": [HIDDEN, {HIDDEN: 1}], "n": HIDDEN, "m": 1234567, "x": None, "y": True, "z": 1.5,
    }  # fmt: skip
    assert Redaction().hidden_in(body) is body


@pytest.mark.parametrize("secret", [CANARY, "12345678", 'a"quoted\\key', "schlüssel-ß-key", "tab\tin\tkey"])
@pytest.mark.parametrize("ascii_alone", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_secret_is_hidden_in_json_however_that_came(*, secret: str, ascii_alone: bool, encoding: str) -> None:
    knowing = Redaction(SecretStr(secret))
    for body in ({"a": [f"before {secret} after"]}, {secret: 1}, {"n": 12345678}, {"a": quote(secret), "b": "\\"}):
        came = json.dumps(body, ensure_ascii=ascii_alone).encode(encoding)
        hidden = knowing.hidden_in(json.loads(came), came)
        assert hidden == knowing.hidden_in(body)
        assert secret not in str(hidden)
        assert (hidden == body) is (body == {"n": 12345678} and secret != "12345678")


def test_a_secret_is_hidden_in_json_that_writes_its_characters_in_halves() -> None:
    secret = "schlüssel-\U0001f600-key"
    halves = secret.replace("\U0001f600", "\ud83d\ude00")
    came = bytearray(json.dumps({"a": halves}, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    parsed = parse(came)
    assert parsed == {"a": secret}
    assert Redaction(SecretStr(secret)).hidden_in(parsed, came) == {"a": HIDDEN}


def test_a_secret_may_be_learnt_later() -> None:
    knowing = Redaction(SecretStr(CANARY))
    knowing.learn(SecretStr("another-secret"), None)
    assert knowing.hidden(f"{CANARY} another-secret") == f"{HIDDEN} {HIDDEN}"


@contextmanager
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.Logger("of its own", logging.DEBUG)  # noqa: LOG001 - one that pytest doesn't listen to
    logger.addHandler(handler)
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    try:
        protect(KNOWING, logger)
        yield logger, stream
    finally:
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


def fail() -> None:
    try:
        int(CANARY)
    except ValueError as error:
        raise OSError(5, f"with {CANARY}") from error


@pytest.mark.promise("S1")
def test_no_part_of_a_log_record_shows_a_secret() -> None:
    with log() as (logger, stream):
        logger.debug("key %s", CANARY)
        logger.info("%s%s", CANARY[:6], CANARY[6:])
        logger.warning("%(key)r", {"key": {"deep": [CANARY]}})
        logger.error("stack", stack_info=True)
        try:
            fail()
        except OSError:
            logger.exception("failed with %s", CANARY)
    told = stream.getvalue()
    assert "canary" not in told.replace("CANARY", "")
    assert "ERROR failed with [secret]" in told
    assert "ValueError: invalid literal for int() with base 10: '[secret]'" in told
    assert "DEBUG key [secret]" in told
    assert "INFO [secret]" in told


def test_a_record_that_cannot_be_formatted_is_named_and_its_parts_are_not_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with log() as (logger, stream):
        logger.error("%d", CANARY)
    assert stream.getvalue() == "a record of of its own could not be written (TypeError)\n"
    assert capsys.readouterr().err == ""


def test_another_formatter_sees_no_cached_traceback() -> None:
    with log() as (logger, _):
        (handler,) = logger.handlers
        try:
            fail()
        except OSError:
            record = logging.LogRecord("x", logging.ERROR, "x", 1, "failed", (), sys.exc_info())
        assert "canary" not in handler.format(record)
    assert record.exc_text is None


def test_protecting_twice_wraps_once_and_another_redaction_counts_too() -> None:
    with log() as (logger, stream):
        protect(KNOWING, logger)
        (handler,) = logger.handlers
        assert isinstance(handler.formatter, HidingFormatter)
        assert not isinstance(handler.formatter._inner, HidingFormatter)  # noqa: SLF001 - what it wraps
        protect(Redaction(SecretStr("another-secret")), logger)
        logger.error("%s another-secret", CANARY)
    assert stream.getvalue() == f"ERROR {HIDDEN} {HIDDEN}\n"


PROGRAM = """
import gc, logging, sys, threading
from pydantic import SecretStr
from barrack_mcp.api.redact import Redaction, protect
KEY = "canary-" + "key-5c1d"
logging.basicConfig(stream=sys.stderr, level=logging.DEBUG)
protect(Redaction(SecretStr(KEY)))
logging.getLogger("httpx2").debug("key %s", KEY)
def fail(): raise ValueError(KEY)
thread = threading.Thread(target=fail); thread.start(); thread.join()
class Odd:
    def __del__(self): raise ValueError(KEY)
Odd(); gc.collect()
try: fail()
except ValueError as error: raise RuntimeError(f"uncaught {KEY}") from error
"""


@pytest.mark.slow
@pytest.mark.promise("S1")
def test_a_traceback_that_nobody_caught_shows_no_secret() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=PATIENT_S, check=False
    )
    assert done.returncode == 1
    assert "canary" not in f"{done.stdout}{done.stderr}"
    assert done.stderr.count(HIDDEN) >= 5
    assert "RuntimeError: uncaught [secret]" in done.stderr


@pytest.mark.promise("S1")
@pytest.mark.anyio
async def test_the_http_libraries_debug_logs_show_no_key_even_if_the_api_sends_it_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def echo(request: Request) -> JSONResponse:
        key = request.headers["X-API-Key"]
        return JSONResponse({"success": False, "message": f"invalid key {key}"}, 401, headers={"X-Echo": key})

    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(HidingFormatter(logging.Formatter(), KNOWING))
    caplog.set_level(logging.DEBUG)
    root = logging.getLogger()
    root.addHandler(handler)
    app = Starlette(routes=[Route("/api/volumes/", echo)])
    try:
        with anyio.fail_after(PATIENT_S):
            async with (
                listening(app) as url,
                open_client(
                    url=f"{url}/api", key=SecretStr(CANARY), auth_header="X-API-Key", auth_template="{key}", seconds=10
                ) as api,
            ):
                for name in ("httpx2", "httpcore2"):
                    # somebody wants to see it all
                    logging.getLogger(name).setLevel(logging.DEBUG)
                with pytest.raises(ApiError) as error:
                    await api.send(BY_TOOL["list_volumes"], {})
    finally:
        root.removeHandler(handler)
        for name in ("httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.WARNING)
    assert CANARY in caplog.text
    assert "httpcore2" in {record.name.split(".")[0] for record in caplog.records}
    assert CANARY not in stream.getvalue()
    assert HIDDEN in stream.getvalue()
    assert CANARY not in f"{error.value.sentence} {vars(error.value)}"


@pytest.mark.promise("S1")
def test_no_object_of_the_house_shows_the_key() -> None:
    settings = read_settings({"BARRACK_API_KEY": CANARY, "BARRACK_STATE_KEYS": f"{CANARY}-{'x' * 32}"})
    house = dispatcher(Answers(answered({})))
    for thing in (
        settings,
        settings.key,
        house,
        house.account,
        house.account.client,
        house.guard,
        KNOWING,
        httpx2.Request("GET", "http://a"),
    ):
        for shown in (repr(thing), str(thing), f"{thing}"):
            assert "canary" not in shown
    assert "canary" not in settings.model_dump_json()


def test_what_is_no_text_passes() -> None:
    things: list[Any] = [None, True, 7, 1.5, [], {}]
    for thing in things:
        assert KNOWING.hidden_in(thing) == thing


@given(
    secret=st.text(min_size=8, max_size=12),
    before=st.text(max_size=3),
    after=st.text(max_size=3),
    named=st.booleans(),
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_secret_is_found_in_an_answer_whatever_it_is_made_of_and_whatever_stands_beside_it(
    *, secret: str, before: str, after: str, named: bool
) -> None:
    assume(len(secret.strip()) >= 8)
    knowing = Redaction(SecretStr(secret))
    text = f"{before}{secret.strip()}{after}"
    answer = {"rows": [{text: 1} if named else {"name": text}]}
    shown = knowing.hidden_in(answer)
    assert shown != answer
    assert shown["rows"] == ([{knowing.hidden(text): 1}] if named else [{"name": knowing.hidden(text)}])
