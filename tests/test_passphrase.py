"""The passphrase of a person's terminal: asked for before a yes counts, never shown, never taken from a pipe."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from barrack_mcp.guard.approvals import Approvals, Status
from barrack_mcp.guard.passphrase import PASSPHRASE, SHORTEST, hash_passphrase, is_passphrase
from barrack_mcp.state.store import SqliteStore
from tests.support.patience import PATIENT_S
from tests.support.running import environment

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

RIGHT = "correct horse battery"
HASH = hash_passphrase(RIGHT)
COMMAND = [sys.executable, "-m", "barrack_mcp"]
Said = Sequence[tuple[str, str]]
"""The end of each question, and what the person types then."""
YES = ("Type yes: ", "yes")
PLAN = {"summary": "Stop instance «train-1».", "risk": "interrupt", "target": {"type": "instance", "name": "train-1"}}


def at_a_terminal(*arguments: str, dialogue: Said, settings: dict[str, str]) -> tuple[int, str]:
    """Run a command at a pseudo-terminal of its own, answer its questions, and say how it ended and what it showed."""
    leader, follower = os.openpty()
    shown, waiting = "", list(dialogue)
    # without a session of its own it would ask at the terminal of whoever runs the tests
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=follower, stdout=follower, stderr=follower, env=environment(**settings),
        start_new_session=True,
    ) as process:  # fmt: skip
        os.close(follower)
        while True:
            if waiting and shown.endswith(waiting[0][0]):
                os.write(leader, f"{waiting.pop(0)[1]}\n".encode())
            if not select.select([leader], [], [], PATIENT_S)[0]:
                process.kill()
                pytest.fail(f"It waits for what nobody types: {shown[-300:]}")
            try:
                chunk = os.read(leader, 65_536)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk.decode()
        code = process.wait(timeout=PATIENT_S)
    os.close(leader)
    assert waiting == [], shown
    return code, re.sub(r"\s+", " ", shown)


def piped(*arguments: str, said: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command whose input is a pipe."""
    return subprocess.run(
        [*COMMAND, *arguments], env=environment(**settings), input=said, capture_output=True, text=True, check=False,
        timeout=PATIENT_S, start_new_session=True,
    )  # fmt: skip


async def ask(path: Path) -> str:
    """Leave a request in a state, as a server does."""
    async with SqliteStore(path) as store:
        asked = await Approvals(store, ttl=600).request(
            binding=f"b-{time.monotonic_ns()}", caller="local:0", tool="stop_instance", arguments={}, plan=PLAN,
            must_type=None, fingerprint="f",
        )  # fmt: skip
    return asked.id


async def status(path: Path, approval_id: str) -> Status:
    async with SqliteStore(path) as store:
        return (await Approvals(store, ttl=600).find(approval_id)).status


@pytest.mark.promise("G3")
@pytest.mark.parametrize(("where", "wrong"), [("in the settings", RIGHT.title()), ("left by the server", "")])
async def test_a_yes_at_a_terminal_counts_only_after_the_passphrase(where: str, wrong: str, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    settings = {"BARRACK_STATE": str(path)}
    asked = await ask(path)
    if where == "in the settings":
        settings["BARRACK_APPROVAL_PASSPHRASE_HASH"] = HASH
    else:
        (tmp_path / PASSPHRASE).write_text(HASH, encoding="utf-8")
    typed = [("Passphrase for approvals: ", wrong)]
    code, shown = at_a_terminal("approve", asked, dialogue=typed, settings=settings)
    assert (code, "That is not the passphrase; nothing was approved" in shown) == (1, True), shown
    assert "Type yes" not in shown
    assert await status(path, asked) is Status.PENDING
    typed = [("Passphrase for approvals: ", RIGHT), YES]
    code, shown = at_a_terminal("approve", asked, dialogue=typed, settings=settings)
    assert (code, "Approved, once" in shown) == (0, True), shown
    assert RIGHT not in shown
    assert await status(path, asked) is Status.APPROVED


@pytest.mark.promise("G3")
async def test_a_pipe_gives_no_passphrase_and_a_hash_that_cant_be_read_matches_none(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    settings = {"BARRACK_STATE": str(path), "BARRACK_APPROVAL_PASSPHRASE_HASH": HASH}
    asked = await ask(path)
    told = piped("approve", asked, said=f"{RIGHT}\nyes\n", settings=settings)
    assert (told.returncode, told.stdout) == (2, "")
    assert "wants a person at a terminal" in told.stderr
    del settings["BARRACK_APPROVAL_PASSPHRASE_HASH"]
    (tmp_path / PASSPHRASE).write_bytes(b"\xff\xfe not a hash")
    code, shown = at_a_terminal("approve", asked, dialogue=[("Passphrase for approvals: ", RIGHT)], settings=settings)
    assert (code, "That is not the passphrase" in shown) == (1, True), shown
    assert await status(path, asked) is Status.PENDING


async def test_a_no_needs_no_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    asked = await ask(path)
    settings = {"BARRACK_STATE": str(path), "BARRACK_APPROVAL_PASSPHRASE_HASH": HASH}
    assert at_a_terminal("deny", asked, dialogue=[], settings=settings)[0] == 0
    assert await status(path, asked) is Status.DENIED


NEW, AGAIN = "New passphrase for approvals: ", "The same again: "


def test_a_new_passphrase_is_asked_for_twice_and_only_its_hash_is_shown() -> None:
    command = ("approvals", "--new-passphrase")
    code, shown = at_a_terminal(*command, dialogue=[(NEW, RIGHT), (AGAIN, RIGHT)], settings={})
    made = re.search(r"BARRACK_APPROVAL_PASSPHRASE_HASH=(\S+)", shown)
    assert code == 0, shown
    assert made is not None
    assert RIGHT not in shown
    assert is_passphrase(RIGHT, made[1])
    assert not is_passphrase(RIGHT.title(), made[1])


@pytest.mark.parametrize(
    ("dialogue", "why"),
    [
        ([(NEW, "x" * (SHORTEST - 1))], "at least 8 characters"),
        ([(NEW, "")], "at least 8 characters"),
        ([(NEW, RIGHT), (AGAIN, RIGHT.title())], "two different passphrases"),
    ],
)
def test_no_hash_is_made_of_what_is_too_short_or_mistyped(dialogue: Said, why: str) -> None:
    code, shown = at_a_terminal("approvals", "--new-passphrase", dialogue=dialogue, settings={})
    assert (code, why in shown, "HASH=" in shown) == (2, True, False), shown


def test_no_passphrase_is_made_of_what_comes_through_a_pipe() -> None:
    told = piped("approvals", "--new-passphrase", said=f"{RIGHT}\n{RIGHT}\n", settings={})
    assert (told.returncode, told.stdout) == (2, "")
    assert "wants a person at a terminal" in told.stderr
