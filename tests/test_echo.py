"""What a call holds in secret and the API repeats, whole or in pieces: in no answer, no record and no log."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from barrack_mcp.api.redact import HIDDEN, Echo
from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.simulator import create_app
from barrack_mcp.state.audit import Audit
from tests.support import examples
from tests.support.answers import Answers, dispatcher
from tests.support.answers import json as answered
from tests.support.guarding import writer

pytestmark = pytest.mark.anyio

STATE: Any = create_app(now=lambda: 0.0).state.barrack.state()
CLOUD_INIT: Final = (
    "#cloud-config\nusers:\n  - name: ann\n    passwd: hunter2-of-ann\n"
    + "".join(f"  - note: filler line {at} of the hunter2 house\n" for at in range(60))
    + '  - key: "quoted hunter2 & more"\n'
)
SCRIPT: Final = "#!/bin/sh\nexport TOKEN=hunter2-token-4711\ncurl -H 'X: hunter2' https://example.org/\n"
PASSWORD: Final = "hunter2-password"
SHORT: Final = "hunter2!"

CALLS: Final[list[tuple[str, dict[str, Any], str]]] = [
    ("deploy_instance", {"cloud_init": CLOUD_INIT}, CLOUD_INIT),
    ("deploy_instance", {"jupyter_password": PASSWORD}, PASSWORD),
    ("deploy_instance", {"jupyter_password": SHORT}, SHORT),
    ("create_startup_script", {"script": SCRIPT}, SCRIPT),
    ("update_startup_script", {"script": SCRIPT}, SCRIPT),
]
PIECES: Final[dict[str, Callable[[str], str]]] = {
    "whole": lambda secret: secret,
    "behind much": lambda secret: "x" * 990 + secret,
    "its second line": lambda secret: f"line 4: '{(secret.splitlines() * 4)[3].strip()}…'",
    "its beginning": lambda secret: f"near '{secret[: max(12, len(secret) - 3)]}…'",
    "on one line": lambda secret: " ".join(secret.split("\n")),
    "as JSON": json.dumps,
    "as JSON in JSON": lambda secret: json.dumps(json.dumps({"x": secret})),
    "twice": lambda secret: f"{secret} and {secret}",
}
PLACES: Final[dict[str, Callable[[str], httpx2.Response]]] = {
    "message": lambda said: answered({"success": False, "message": said}, 400),
    "detail": lambda said: answered({"detail": [said, {"x": said}]}, 422),
    "field": lambda said: answered({"errors": {"script": [said], "cloud_init": said}}, 400),
    "code": lambda said: answered({"error": {"code": said, "message": "no"}}, 409),
    "request_id": lambda said: answered({"message": "no", "request_id": said}, 400),
    "no in 200": lambda said: answered({"success": False, "message": said, "request_id": said}),
    "broken": lambda said: answered({"message": said, "request_id": said}, 500),
    "done": lambda said: answered({"success": True, "message": said, "request_id": said}),
    "done with warnings": lambda said: answered({"success": True, "warnings": [said], "data": {"note": said}}),
}


@pytest.mark.slow
@pytest.mark.promise("S4")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("piece", PIECES)
async def test_no_piece_of_a_secret_that_the_api_repeats_is_told_recorded_or_logged(
    piece: str, place: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every piece at every place, of every other secret."""
    caplog.set_level(logging.DEBUG)
    turn = ([*PIECES].index(piece) + [*PLACES].index(place)) % 2
    for at, (tool, given, secret) in enumerate(CALLS[turn::2]):
        path = tmp_path / f"audit-{at}.jsonl"
        said = PLACES[place](PIECES[piece](secret))
        transport = Answers(answered({"success": True, "scripts": [], "instances": []}))
        operation = BY_TOOL[tool]
        arguments = examples.good(operation, STATE) | given

        async def handle(request: httpx2.Request, said: httpx2.Response = said) -> httpx2.Response:
            await request.aread()
            shown = (
                {"script": {"id": "SCR-103240", "name": "a", "script": "#!/bin/sh"}}
                if "script" in str(request.url)
                else {}
            )
            return said if request.method != "GET" else answered({"success": True, **shown})

        transport.handle_async_request = handle  # type: ignore[method-assign]  # each case answers otherwise
        answer = await dispatcher(transport, writer=writer(audit=Audit(path))).call(tool, arguments)
        assert isinstance(answer, Answer)
        record = path.read_text(encoding="ascii")
        for text in (answer.text, json.dumps(answer.structured), record, caplog.text):
            assert "hunter2" not in text, (tool, piece, place)
        assert '"kind":"outcome"' in record


async def test_a_script_that_was_saved_is_answered_whole_and_what_is_no_secret_is_told() -> None:
    body = {
        "success": True,
        "message": "Saved fresh-1.",
        "script": {"id": "SCR-1", "name": "fresh-1", "script": SCRIPT},
    }
    answer = await dispatcher(Answers(answered(body))).call(
        "create_startup_script", {"name": "fresh-1", "script": SCRIPT}
    )
    assert isinstance(answer, Answer)
    assert answer.structured["result"]["script"]["script"] == SCRIPT
    assert "Saved fresh-1." in answer.text


async def test_a_name_that_a_script_holds_too_is_still_told() -> None:
    name = "train-node-of-the-house"
    transport = Answers(answered({"success": False, "message": f"An instance {name} already exists."}, 400))
    good = examples.good(BY_TOOL["deploy_instance"], STATE) | {
        "name": name,
        "cloud_init": f"#cloud-config\nhostname: {name}\n",
    }
    answer = await dispatcher(transport).call("deploy_instance", good)
    assert isinstance(answer, Answer)
    assert f"An instance {name} already exists" in answer.text


def test_what_has_little_in_common_with_a_secret_stays_as_it_is() -> None:
    echo = Echo([SCRIPT], known=["name"])
    for text in ("The export failed.", "curl is not found", "TOKEN=", "https://ex", ""):
        assert echo.hidden(text) == text
    assert Echo([]).hidden(SCRIPT) == SCRIPT
    assert Echo(["short"]).hidden("short") == "short"


def test_a_stretch_is_hidden_once_and_what_stands_beside_it_is_not() -> None:
    echo = Echo([PASSWORD])
    assert echo.hidden(f"a{PASSWORD}b {PASSWORD}{PASSWORD} c") == f"a{HIDDEN}b {HIDDEN} c"
    assert Echo(["12345678"]).hidden_in({"a": [12345678, 1234567, True, None, 1.5], "12345678": "x"}) == {
        "a": [HIDDEN, 1234567, True, None, 1.5], HIDDEN: "x",
    }  # fmt: skip


def test_what_is_too_long_to_be_looked_at_is_not_told() -> None:
    echo = Echo([PASSWORD])
    body = ["fine", "x" * 200_000 + PASSWORD, "not looked at any more"]
    assert echo.hidden_in(body) == ["fine", HIDDEN, HIDDEN]


# To the letter


def echo(text: str, *secrets: str, known: tuple[str, ...] = ()) -> str:
    return Echo(secrets, known=known).hidden(text)


def test_three_quarters_of_a_short_secret_are_a_piece_of_it_and_less_is_none() -> None:
    assert echo("x abcdefghi", "abcdefghijkl") == f"x {HIDDEN}"
    assert echo("x abcdefgh y", "abcdefghijkl") == "x abcdefgh y"
    assert echo("x abcdefgh y", "abcdefghi") == f"x {HIDDEN} y"


@pytest.mark.parametrize("line", ["eight-ch", "eleven-char", "twelve-chars"])
def test_a_short_line_of_a_script_is_hidden_by_itself(line: str) -> None:
    script = f"#!/bin/sh of some length\n{line}\nand a last line that is long, too"
    assert echo(f"<{line}>", script) == f"<{HIDDEN}>"


def test_a_name_that_stands_in_a_script_is_told_and_what_follows_is_not() -> None:
    script, name = "#!/bin/sh\nrun training-run-7 now", "training-run-7"
    assert echo("training-run-7 is there", script, known=(name,)) == "training-run-7 is there"
    assert echo("of training-run-7", script, known=(name,)) == "of training-run-7"
    assert echo(f"training-run-7: {script}", script, known=(name,)) == f"training-run-7: {HIDDEN}"
    assert echo(script, script, known=(name,)) == HIDDEN


def test_only_the_fields_that_are_named_stay_and_numbers_that_are_no_secret() -> None:
    knowing = Echo(["a secret of some length"])
    held = {"kept": "a secret of some length", "other": "a secret of some length", "n": 123456789, "m": [1.5, None]}
    assert knowing.hidden_in(held, but=("kept",)) == held | {"other": HIDDEN}
    assert Echo(["123456789"]).hidden_in({"n": 123456789}) == {"n": HIDDEN}


def test_past_what_is_looked_at_not_even_a_letter_is_told() -> None:
    texts = ["x" * 100_000, "a", "x" * 99_999]
    assert Echo(["a secret of some length"]).hidden_in(texts) == ["x" * 100_000, HIDDEN, HIDDEN]
