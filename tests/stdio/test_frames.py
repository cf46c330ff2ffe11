"""What a line on stdin is taken for."""

from __future__ import annotations

import json
import logging
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
)

from barrack_mcp.transports.stdio import frames
from barrack_mcp.transports.stdio.frames import Refusal, Splitter, read, too_long, written

CANARY = "canary-7f3a"

MESSAGES: list[tuple[bytes, JSONRPCMessage]] = [
    (b'{"jsonrpc":"2.0","id":1,"method":"ping"}', JSONRPCRequest(jsonrpc="2.0", id=1, method="ping")),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping"}\r', JSONRPCRequest(jsonrpc="2.0", id=1, method="ping")),
    (b'{"jsonrpc":"2.0","id":"1","method":"ping","params":null}', JSONRPCRequest(jsonrpc="2.0", id="1", method="ping")),
    (
        '{"method":"m","params":{"a":["ü",{"id":2.5e3}],"b":"\\ud83d\\ude00"},"jsonrpc":"2.0","id":-1}'.encode(),
        JSONRPCRequest(jsonrpc="2.0", id=-1, method="m", params={"a": ["ü", {"id": 2500.0}], "b": "😀"}),
    ),
    (
        b'{"jsonrpc":"2.0","method":"notifications/initialized","params":{}}',
        JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized", params={}),
    ),
    (b'{"jsonrpc":"2.0","id":3,"result":{"a":1}}', JSONRPCResponse(jsonrpc="2.0", id=3, result={"a": 1})),
    (
        b'{"jsonrpc":"2.0","id":3,"error":{"code":-1,"message":"no"}}',
        JSONRPCError(jsonrpc="2.0", id=3, error=ErrorData(code=-1, message="no")),
    ),
]


@pytest.mark.parametrize(("frame", "message"), MESSAGES)
def test_a_good_frame_is_its_message(frame: bytes, message: JSONRPCMessage) -> None:
    assert read(frame) == message


def call(params: str, ident: str = "7") -> bytes:
    return f'{{"jsonrpc":"2.0","id":{ident},"method":"tools/call","params":{params}}}'.encode()


def last(params: str, ident: str = "7") -> bytes:
    """The same with its id at the end, as some clients write it."""
    return f'{{"method":"tools/call","params":{params},"jsonrpc":"2.0","id":{ident}}}'.encode()


@pytest.mark.promise("R1")
@pytest.mark.parametrize("frame_of", [call, last])
@pytest.mark.parametrize(
    ("params", "code"),
    [
        ('{"a":NaN}', PARSE_ERROR),
        ('{"a":-Infinity}', PARSE_ERROR),
        ('{"a":1e999}', PARSE_ERROR),
        ('{"a":"\\ud800"}', PARSE_ERROR),
        ('{"a":tru}', PARSE_ERROR),
        ('{"a":01}', PARSE_ERROR),
        ('{"a":"\t"}', PARSE_ERROR),
        (f'{{"a":{"9" * 5_000}}}', PARSE_ERROR),
        ('{"a":1,"a":2}', INVALID_REQUEST),
        ('{"a":[{"b":1,"c":2,"b":1}]}', INVALID_REQUEST),
        ("[1]", INVALID_REQUEST),
        ('"a"', INVALID_REQUEST),
        ("[" * 101 + "]" * 101, INVALID_REQUEST),
    ],
)
def test_what_is_wrong_inside_a_request_is_answered_under_its_id(frame_of: object, params: str, code: int) -> None:
    assert callable(frame_of)
    refused = read(frame_of(params))
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.id) == (code, 7)


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("frame", "code", "ident"),
    [
        (b"", PARSE_ERROR, None),
        (b"  \r", PARSE_ERROR, None),
        (b"GET / HTTP/1.1", PARSE_ERROR, None),
        (b"\xff\xfe{\x00}\x00", PARSE_ERROR, None),
        (b"\xef\xbb\xbf" + MESSAGES[0][0], PARSE_ERROR, None),
        (MESSAGES[0][0] + b" x", PARSE_ERROR, 1),
        (b"[" * 100_000, INVALID_REQUEST, None),
        (b'{"a":' * 100_000, INVALID_REQUEST, None),
        (b"[" + MESSAGES[0][0] + b"]", INVALID_REQUEST, None),
        (b"[]", INVALID_REQUEST, None),
        (b"null", INVALID_REQUEST, None),
        (b"17", INVALID_REQUEST, None),
        (b"{}", INVALID_REQUEST, None),
        (b'{"id":1}', INVALID_REQUEST, 1),
        (b'{"id":1,"method":"ping"}', INVALID_REQUEST, 1),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', INVALID_REQUEST, 1),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', INVALID_REQUEST, 1),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","id":[1],"method":"ping"}', INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}', PARSE_ERROR, None),
        (b'{"jsonrpc":"2.0","id":9223372036854775808,"method":"ping"}', INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","id":"' + b"x" * 1_001 + b'","method":"ping"}', INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","id":"' + b"x" * 9_001 + b'","method":"ping",}', PARSE_ERROR, None),
        # an id of which more may have been to come, two of them, somebody else's, or not the frame's own
        (b'{"jsonrpc":"2.0","method":"ping","id":1', PARSE_ERROR, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","id":2}', INVALID_REQUEST, None),
        (b'{"jsonrpc":"2.0","id":1 2,"method":"ping"}', PARSE_ERROR, 12),
        (b'{"jsonrpc":"2.0","id":1,"meth', PARSE_ERROR, None),
        (b'{"jsonrpc":"2.0","method":"ping","params":{"id":1},', PARSE_ERROR, None),
        (b'{"jsonrpc":"2.0","id":[1],"method":"ping",', PARSE_ERROR, None),
        (b'{"jsonrpc":"2.0",id:1,"method":"ping"}', PARSE_ERROR, None),
        (b'{"jsonrpc":"2.0","id":x,"method":"ping"}', PARSE_ERROR, None),
        # an id that is whole
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"', PARSE_ERROR, 1),
        (b'{"jsonrpc":"2.0","id":"a\\"b","method":"ping","params":{"a":"\xff"}}', PARSE_ERROR, 'a"b'),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":"\\', PARSE_ERROR, 1),
    ],
)
def test_a_frame_that_is_no_message_is_answered_where_its_id_can_be_told_under_it(
    frame: bytes, code: int, ident: object
) -> None:
    refused = read(frame)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.id) == (code, ident)


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    "frame",
    [
        b'{"method":"notifications/initialized"}',
        b'{"jsonrpc":"2.0","method":"notifications/progress","params":[1]}',
        b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"a":NaN}}',
        b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"a":1,"a":1}}',
        b'{"jsonrpc":"2.0","id":1,"result":5}',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":NaN}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":',
        b'{"jsonrpc":"2.0","id":1,"error":"no"}',
    ],
)
def test_a_malformed_notification_or_response_is_ignored_and_logged_for_who_looks(
    frame: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert read(frame) is None
    assert "ignored a malformed" in caplog.text


def test_a_level_or_a_value_more_is_what_is_refused_and_brackets_in_strings_are_not_counted() -> None:
    def nested(levels: int) -> bytes:
        return call('{"a":' + "[" * levels + "]" * levels + "}")

    assert isinstance(read(nested(98)), JSONRPCRequest)
    assert isinstance(read(nested(99)), Refusal)

    def wide(values: int) -> bytes:
        return call('{"a":[' + "0," * values + "0]}")

    assert isinstance(read(wide(99_990)), JSONRPCRequest)
    assert isinstance(read(wide(100_000)), Refusal)
    # strings without end between two commas cost time, too
    assert read(call('["["' + '"["' * 500_000)) == Refusal(INVALID_REQUEST, frames.TOO_DEEP, 7)
    assert isinstance(read(call('{"a":' + json.dumps("[{,\"'\\" * 100_000) + "}")), JSONRPCRequest)


@pytest.mark.slow
@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    "filling",
    [b"[],", b"{},", b'{"a":1},', b'"ab",', b"1.5,", b"[[[[],", b'"\\"', b'""', b"\\", b'"a":', b"\xff", b'\\"'],
)
def test_no_frame_of_the_longest_size_costs_much_memory_to_refuse_or_read(filling: bytes) -> None:
    room = frames.MOST_BYTES - 60
    frame = b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":[' + filling * (room // len(filling))
    tracemalloc.start()
    try:
        read(frame)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


def test_a_frame_too_long_to_keep_is_told_by_its_beginning() -> None:
    assert too_long(call('{"a":"xxxx')[:-1]) == Refusal(INVALID_REQUEST, frames.TOO_LONG, 7)
    assert too_long(b"x" * 100) == Refusal(INVALID_REQUEST, frames.TOO_LONG)
    assert too_long(b'{"jsonrpc":"2.0","id":1,"result":{"a":"xxx') is None


@pytest.mark.promise("R1")
@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.binary(max_size=80) | st.text(alphabet='{}[]":,\\ue1aid\n "method":', max_size=80).map(str.encode))
@example(b'{"id":"\\')
@example(b'{"":""}')
def test_any_bytes_are_read_without_an_exception_and_none_of_them_comes_back(frame: bytes) -> None:
    found = read(frame)
    if isinstance(found, Refusal):
        assert found.message in {
            frames.NOT_JSON, frames.TOO_DEEP, frames.NAMED_TWICE, frames.BATCH, frames.NO_REQUEST,
        }  # fmt: skip
        assert json.loads(written(found.answer()) or b"")["error"]["message"] == found.message


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_frames_are_the_same_however_the_bytes_arrive(stream: bytes, cuts: list[int]) -> None:
    def split(chunks: list[bytes]) -> list[tuple[bytes, bool]]:
        splitter = Splitter(limit=10)
        found = [frame for chunk in chunks for frame in splitter.feed(chunk)]
        return [frame if frame[1] else (b"", False) for frame in [*found, *splitter.finish()]]

    places = sorted({0, len(stream), *(cut for cut in cuts if cut <= len(stream))})
    pieces = [stream[start:end] for start, end in pairwise(places)]
    *ended, rest = stream.split(b"\n")
    lines = [*ended, *([rest] if rest.strip() else [])]
    assert split(pieces) == split([stream])
    assert split([stream]) == [(line, True) if len(line) <= 10 else (b"", False) for line in lines]


@pytest.mark.promise("R1")
def test_a_frame_that_never_ends_is_answered_once_and_not_kept() -> None:
    splitter = Splitter()
    tracemalloc.start()
    try:
        found = [frame for _ in range(1_000) for frame in splitter.feed(b"x" * 65_536)]
        assert tracemalloc.get_traced_memory()[1] < 2.5 * frames.MOST_BYTES
    finally:
        tracemalloc.stop()
    assert [whole for _, whole in found] == [False]
    assert list(splitter.feed(b"\nab\n")) == [(b"ab", True)]


def test_a_message_is_written_as_one_line() -> None:
    response = JSONRPCResponse(jsonrpc="2.0", id=1, result={"a": "ü\n\u2028"})
    line = written(response)
    assert line is not None
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"jsonrpc": "2.0", "id": 1, "result": {"a": "ü\n\u2028"}}
    assert b'"id":null' in (written(Refusal(PARSE_ERROR, frames.NOT_JSON).answer()) or b"")


@pytest.mark.parametrize(
    "message",
    [
        JSONRPCResponse(jsonrpc="2.0", id=5, result={"a": f"{CANARY}\ud800"}),
        JSONRPCError(jsonrpc="2.0", id=5, error=ErrorData(code=1, message=f"{CANARY}\ud800")),
        JSONRPCError(jsonrpc="2.0", id=5, error=ErrorData(code=0, message=CANARY)),
    ],
)
def test_what_cannot_be_written_or_was_not_foreseen_becomes_an_error_without_its_text(message: JSONRPCMessage) -> None:
    line = written(message) or b""
    assert json.loads(line) == {
        "jsonrpc": "2.0", "id": 5, "error": {"code": INTERNAL_ERROR, "message": frames.INTERNAL},
    }  # fmt: skip


def test_a_notification_that_cannot_be_written_is_dropped() -> None:
    assert written(JSONRPCNotification(jsonrpc="2.0", method="m", params={"a": "\ud800"})) is None
