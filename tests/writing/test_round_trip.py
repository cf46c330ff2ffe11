"""A script that is read, changed and written back is byte for byte the same where it was not changed."""

from __future__ import annotations

from typing import Any

import anyio
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barrack_mcp.dispatch.answers.outcomes import Answer
from tests.support.answers import CANARY, Answers, dispatcher
from tests.support.answers import json as answered
from tests.support.hostile import rendered, unseen

pytestmark = pytest.mark.anyio

ODD = [
    "\r\n", "\r", "\n", "\t", "\u202e", "\u200b", "\ufeff", "\u2028", "\x00", "\x1b[2J", "\x7f", "\u00a0", "\u00ad",
    "\U000e0041", "\U0001f600", "\U0010fffd", "e\u0301\u0301\u0301\u0301", "é", "\\u202e", "\\u200b", "\\r", "\\\\r",
    "\\U000e0041", "\\\\u202e", "\\", "\\u", "r", "u202e", "\\n", "«", "»", "[", "$(x)", "#!/bin/sh", " ", "a",
    "[a](b)", "<b>", "](", "cat <<EOF", "# x", "---", "\\u003c", "]\\(",
]  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(ODD), st.text(max_size=4)), max_size=30).map("".join)
ADDED = "\necho one line more\n"


class Scripts(Answers):
    """Keeps one script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.writes = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        if request.method != "GET":
            import json  # noqa: PLC0415 - the name is the answer's elsewhere

            self.text = json.loads(request.content).get("script", self.text)
            self.writes += 1
        return answered({"success": True, "script": {"id": "SCR-1", "name": "boot", "script": self.text}})


async def shown(scripts: Scripts) -> tuple[str, list[str]]:
    told = await dispatcher(scripts).call("get_startup_script", {"script_id": "SCR-1"})
    assert isinstance(told, Answer)
    assert not unseen(told.text, "\n\t")
    assert not rendered(told.text)
    return told.structured["script"]["script"], told.structured.get("notes", [])


async def written(scripts: Scripts, text: str) -> Answer:
    told = await dispatcher(scripts).call("update_startup_script", {"script_id": "SCR-1", "script": text})
    assert isinstance(told, Answer)
    return told


@pytest.mark.slow
@pytest.mark.promise("R9")
def test_any_script_comes_back_as_it_was() -> None:
    @settings(max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck])
    @given(TEXTS)
    def check(text: str) -> None:
        text = text.encode(errors="replace").decode()

        async def through() -> None:
            scripts = Scripts(text)
            seen, _ = await shown(scripts)
            assert not unseen(seen, "\n\t")
            assert (await written(scripts, seen)).structured["outcome"] == "done"
            assert scripts.text == text
            await written(scripts, seen + ADDED)
            assert scripts.text == text + ADDED

        anyio.run(through)

    check()


async def test_where_characters_stand_that_cant_be_seen_is_said() -> None:
    _, notes = await shown(Scripts("\ufeff#!/bin/sh\r\necho a\u202eb\r\n"))
    assert notes[0] == (
        "script.script: what can't be seen: 2 lines with CR before the line feed (\\r), line 1, column 1 (U+FEFF), "
        "line 2, column 7 (U+202E). A change of the text that sends these escapes as they stand puts the characters "
        "back."
    )
    _, notes = await shown(Scripts("#!/bin/sh\necho a\n"))
    assert notes == []


async def test_a_line_that_is_changed_keeps_what_cant_be_seen_in_it_and_a_mark_that_is_taken_out_is_gone() -> None:
    scripts = Scripts("#!/bin/sh\r\necho a\u202eb\r\n")
    seen, _ = await shown(scripts)
    await written(scripts, seen.replace("echo", "printf"))
    assert scripts.text == "#!/bin/sh\r\nprintf a\u202eb\r\n"
    await written(scripts, "#!/bin/sh\\r\nprintf ab\\r\n")
    assert scripts.text == "#!/bin/sh\r\nprintf ab\r\n"


async def test_escapes_that_a_script_holds_written_out_stay_written_out() -> None:
    scripts = Scripts("#!/bin/sh\nprintf 'a\\r\\u202e'\n")
    await written(scripts, "#!/bin/sh\nprintf 'b\\r\\u202e\\u200b'\n")
    assert scripts.text == "#!/bin/sh\nprintf 'b\\r\\u202e\\u200b'\n"


@pytest.mark.parametrize(
    ("there", "sent", "becomes"),
    [
        # what stands twice may be taken out once, and what is new and written out stays so
        ("a\u202eb\u202ec", "a\\u202ebc", "a\u202ebc"),
        ("a\u202eb", "a\\u202eb\\u200b", "a\u202eb\\u200b"),
        ("«a\r\n", "«b\\u00ab\\r\n", "«b\\u00ab\r\n"),
        # the order tells which is which
        ("\u202e \\u202e", "x \\u202e \\u202e", "x \u202e \\u202e"),
        ("\\u202e \u202e", "x \\u202e \\u202e", "x \\u202e \u202e"),
        ("\\r \r\n\\r", "\\r \\r\n\\r.", "\\r \r\n\\r."),
        ("\u202e \u200b \\u200b", "\\u202e! \\u200b \\u200b", "\u202e! \u200b \\u200b"),
        # where a script is no more than text, nothing in it is a tag
        ("<\u202eb>", "<\\u202ec>", "<\u202ec>"),
    ],
)
async def test_each_escape_becomes_what_it_stood_for(there: str, sent: str, becomes: str) -> None:
    scripts = Scripts(there)
    assert (await written(scripts, sent)).structured["outcome"] == "done"
    assert scripts.text == becomes


async def test_where_it_cant_be_told_which_is_meant_nothing_is_sent() -> None:
    scripts = Scripts("a\u202e \\u202e")
    told = await written(scripts, "a\\u202e")
    assert told.structured["outcome"] == "refused"
    assert "both as a character and written out" in told.text
    assert scripts.writes == 0


async def test_a_script_from_which_a_secret_was_taken_out_is_not_written_back_without_it() -> None:
    scripts = Scripts(f"export KEY={CANARY}\n")
    house: Any = dispatcher(scripts)
    told = await house.call("update_startup_script", {"script_id": "SCR-1", "script": "export KEY=[secret]\n"})
    # the scripted client hides nothing; what the product hides is told from what it reads
    assert told.structured["outcome"] == "done"
    scripts = Scripts("export KEY=[secret]\n")
    told = await written(scripts, "export KEY=[secret]\nmore\n")
    assert told.structured["outcome"] == "refused"
    assert "the secret would be lost" in told.text
    assert scripts.writes == 0


async def test_what_is_there_cant_be_read_so_nothing_is_sent() -> None:
    broken = Answers(answered({"detail": "No"}, 503))
    told = await dispatcher(broken).call("update_startup_script", {"script_id": "SCR-1", "script": "a\\r\n"})
    assert isinstance(told, Answer)
    assert told.structured["outcome"] == "refused"
    assert "script: holds escapes, and the present text, which tells what they stand for, could not be re" in told.text
    assert {request.method for request in broken.requests} == {"GET"}
