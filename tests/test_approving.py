"""A person's side of the guard: at a real terminal, against a real server process."""

from __future__ import annotations

import os
import re
import select
import stat
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from barrack_mcp.catalogue import JsonObject
from barrack_mcp.simulator import create_app
from tests.support.patience import PATIENT_S
from tests.support.running import KEY, environment, listening, product

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ASKS = (b"to approve: ", b"Type yes: ", b"Type yes or no: ", b"Name: ", b"yes or no: ")
COMMAND = [sys.executable, "-m", "barrack_mcp"]


def at_a_terminal(*arguments: str, typed: str, settings: dict[str, str]) -> tuple[int, str]:
    """Run a command at a pseudo-terminal, type a line at each question, and answer its exit code and what was shown."""
    answers = iter(typed.splitlines(keepends=True))
    leader, follower = os.openpty()
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=follower, stdout=follower, stderr=follower, env=environment(**settings)
    ) as process:
        os.close(follower)
        shown = b""
        while True:
            # what is typed before the question would be dropped
            if shown.endswith(ASKS):
                os.write(leader, next(answers, "").encode())
            if not select.select([leader], [], [], PATIENT_S)[0]:
                process.kill()
                pytest.fail(f"It waits for what nobody types: {shown.decode()[-300:]}")
            try:
                chunk = os.read(leader, 65_536)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
        code = process.wait(timeout=PATIENT_S)
    os.close(leader)
    return code, re.sub(r"\s+", " ", shown.decode())


@pytest.fixture(scope="module")
def active() -> str:
    """The id of a machine that runs in every simulator, as its list tells it."""
    listed = piped("call", "list_instances", "--json", "--simulator", settings={}).stdout
    found = re.search(r'"instance_id": "([^"]+)"[^{}]*?"status": "ACTIVE"', listed)
    assert found is not None
    return found[1]


def test_what_was_typed_before_the_question_answers_nothing() -> None:
    """A pasted second line is no yes: it was there before anybody could read what it agrees to."""
    leader, follower = os.openpty()
    os.write(leader, b"yes\n")
    code = (
        "from barrack_mcp.cli.process import forget_typed_ahead as f; f(); print('asked', flush=True); print(input())"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=follower, stdout=subprocess.PIPE) as process:
        os.close(follower)
        assert process.stdout is not None
        assert process.stdout.readline() == b"asked\n"
        os.write(leader, b"no\n")
        assert process.stdout.readline() == b"no\n"
    os.close(leader)


def piped(*arguments: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], env=environment(**settings), capture_output=True, text=True, check=False,
        timeout=PATIENT_S, stdin=subprocess.DEVNULL,
    )  # fmt: skip


async def test_a_deletion_is_approved_at_a_terminal_by_its_name_and_runs_once(tmp_path: Path) -> None:
    app = create_app(now=lambda: 0.0)
    journal = app.state.barrack.journal
    async with listening(app) as url:
        settings = {
            "BARRACK_API_URL": f"{url}/api", "BARRACK_API_KEY": KEY, "BARRACK_STATE": str(tmp_path / "state.db"),
        }  # fmt: skip
        async with product(settings=settings) as client:

            async def delete() -> JsonObject:
                result = await client.call_tool("delete_instance", {"instance_id": instance_id})
                return dict(result.structured_content or {})

            listed = (await client.call_tool("list_instances", {})).structured_content
            assert listed is not None
            instance_id = listed["instances"][0]["instance_id"]
            asked = await delete()
            approval_id, name = asked["approval"]["id"], asked["plan"]["target"]["name"]

            assert piped("approve", approval_id, settings=settings).returncode == 2
            assert piped("deny", approval_id, settings=settings).returncode == 2
            code, shown = at_a_terminal("approve", approval_id, typed="another\n", settings=settings)
            assert code == 1, shown
            assert "letter for letter" in shown
            assert (await delete())["approval"]["id"] == approval_id
            assert not journal

            listing = piped("approvals", settings=settings).stdout
            assert approval_id in listing
            assert "token=" not in listing
            code, shown = at_a_terminal("approvals", typed="", settings=settings)
            link = re.search(r"http://127\.0\.0\.1:\d+/[\w-]+/enter\?token=\S+", shown)
            assert (code, link is not None) == (0, True), shown
            async with httpx2.AsyncClient(follow_redirects=True) as browser:
                assert link is not None
                assert name in (await browser.get(link[0])).text
                assert (await browser.get(link[0].split("/enter")[0] + "/")).status_code == 200
            async with httpx2.AsyncClient(follow_redirects=True) as stranger:
                assert (await stranger.get(link[0])).status_code == 401

            code, shown = at_a_terminal("approve", approval_id, typed=f"{name}\n", settings=settings)
            assert (code, "Approved, once" in shown) == (0, True), shown
            assert (await delete())["outcome"] == "done"
            assert [effect["operation"] for effect in journal] == ["delete_instance"]
            code, shown = at_a_terminal("approve", approval_id, typed=f"{name}\n", settings=settings)
            assert (code, "approved and used already" in shown) == (1, True), shown
    for kept in tmp_path.iterdir():
        assert stat.S_IMODE(kept.stat().st_mode) & 0o077 == 0, kept
    assert not (tmp_path / "page.url").exists()


async def test_a_request_is_denied_at_a_terminal_and_an_unknown_one_is_said(tmp_path: Path) -> None:
    settings = {"BARRACK_STATE": str(tmp_path / "state.db")}
    async with product("--simulator", settings=settings) as client:
        arguments = {"instance_id": "train-1"}
        asked = (await client.call_tool("stop_instance", arguments)).structured_content
        assert asked is not None
        code, shown = at_a_terminal("approve", asked["approval"]["id"], typed="maybe\nno\n", settings=settings)
        assert (code, "still waits" in shown) == (1, True), shown
        assert at_a_terminal("deny", asked["approval"]["id"], typed="", settings=settings)[0] == 0
        refused = (await client.call_tool("stop_instance", arguments)).structured_content
        assert refused is not None
        assert refused["outcome"] == "refused"
    assert at_a_terminal("deny", "ap-unheard", typed="", settings=settings)[0] == 1


@pytest.mark.promise("U2")
@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ("maybe\nyes\n", 0, "hibernating"),
        ("\n", 5, "declined"),
        ("maybe\nno\n", 5, "neither yes nor no. yes or no: no The person declined. Nothing was sent to Barrack. "),
        ("maybe\nso\n", 5, "It counts as a no."),
        ("\x04", 5, "closed the question"),
    ],
)
def test_a_call_from_a_terminal_asks_there(active: str, typed: str, code: int, said: str) -> None:
    arguments = ("call", "hibernate_instance", f"instance_id={active}", "--simulator")
    done, shown = at_a_terminal(*arguments, typed=typed, settings={})
    assert (done, said in shown) == (code, True), shown
    # who has just read what it would do isn't told once more
    assert shown.count("Hibernate instance") == 1


@pytest.mark.parametrize(("typed", "ended"), [("train-1\n", 0), ("train-2\n", 5), ("\n", 5)])
async def test_a_deletion_from_a_terminal_wants_the_name(typed: str, ended: int, tmp_path: Path) -> None:
    settings = {"BARRACK_STATE": str(tmp_path / "state.db")}
    words = ("call", "delete_instance", "instance_id=train-1", "--simulator")
    code, shown = at_a_terminal(*words, typed=typed, settings=settings)
    assert "Type train-1 to approve. Name: " in shown
    assert code == ended, shown
