"""A person's shell in a terminal: what a page says is typed there, line by line, and what is shown is read back.

`barrack-mcp` is there, as after an installation; each of its commands runs off a start that is shared, in this shell's
environment and folder, and at its terminal.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support import forking
from tests.support.pages import Step
from tests.support.patience import PATIENT_S

_BASH: Final = shutil.which("bash") or "bash"
COLUMNS, LINES = 120, 50
_HAND_ON: Final = """\
#!/bin/sh
place=$(mktemp -d)
mkfifo "$place/code"
env -0 > "$place/env"
for each in "$@"; do printf '%s\\0' "$each"; done > "$place/arguments"
pwd > "$place/folder"
if [ -t 1 ]; then tty > "$place/terminal"; fi
echo "$place" > "{asked}"
read -r code < "$place/code"
if [ ! -t 1 ]; then cat "$place/out"; cat "$place/err" >&2; fi
exit "$code"
"""
"""What stands in the shell for the command of an installation."""
_PROMPT: Final = re.compile(r"^(?:yes or no|Name|Type [^\n]*): \Z", re.MULTILINE)
_ANSWERED: Final = re.compile(r"^(?:yes or no|Name|Type [^\n]*): (.*)$", re.MULTILINE)
_MARK: Final = "\x1d"
"""Stands around what the shell itself says of a command: a letter that no command prints."""

_TELL: Final = f"{{ code=$?; printf '{_MARK}%s{_MARK}' $code; (exit $code); }}"
"""Says with what the step before it ended, and ends likewise."""


@dataclass(frozen=True)
class Came:
    """What came of a step: with what it ended, and what the terminal showed."""

    step: Step
    code: int
    shown: str


def type_in(steps: Sequence[Step], env: Mapping[str, str], folder: Path) -> list[Came]:
    """Type steps into one shell, in order; a question is answered as the page shows, otherwise with yes.

    Args:
        steps: What is typed.
        env: The shell's environment.
        folder: Where it is started; it gets a `bin` beside it.
    """
    tools = folder.parent / f"{folder.name}-bin"
    tools.mkdir()
    asked = tools / "asked"
    os.mkfifo(asked)
    (tools / "barrack-mcp").write_text(_HAND_ON.format(asked=asked), encoding="utf-8")
    (tools / "barrack-mcp").chmod(0o755)
    script = "\n".join(f"{step.line}\n{_TELL}" for step in steps)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    placed = {**env, "PATH": f"{tools}:{env['PATH']}", "TERM": "xterm"}
    # open both ways, so that it never ends while nobody writes
    with open(asked, "r+b", buffering=0) as requests:  # noqa: PTH123 - a pipe
        answering = threading.Thread(target=_answer_each, args=(requests.fileno(),), daemon=True)
        answering.start()
        with subprocess.Popen(
            [_BASH, "--norc", "--noprofile", "-c", script],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=placed,
            cwd=folder,
            start_new_session=True,
        ) as shell:
            os.close(theirs)
            said = _watched(ours, steps)
            shell.wait(PATIENT_S)
        requests.write(b"\n")
        answering.join(PATIENT_S)
    os.close(ours)
    parts = said.split(_MARK)
    return [
        Came(step, int(code), shown) for step, shown, code in zip(steps, parts[0::2], parts[1::2], strict=False) if code
    ]


def _watched(ours: int, steps: Sequence[Step]) -> str:
    """Read the terminal to the shell's end, and answer what is asked on the way."""
    answers = [_answers(step) for step in steps]
    said, answered = b"", 0
    while True:
        try:
            chunk = os.read(ours, 65_536)
        except OSError:
            # the other end is closed: that is how a terminal ends
            chunk = b""
        if not chunk:
            return _plain(said)
        said += chunk
        if _PROMPT.search(_plain(said[answered:])):
            answered = len(said)
            step = said.count(_MARK.encode()) // 2
            os.write(ours, f"{next(answers[step])}\n".encode())


def _answers(step: Step) -> Iterator[str]:
    yield from _ANSWERED.findall(step.shown or "")
    while True:
        yield "yes"


def _plain(said: bytes) -> str:
    """Answer what a terminal showed, without colours and the like."""
    text = re.sub(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)", "", said.decode(errors="replace"))
    return text.replace("\r\n", "\n")


def _answer_each(requests: int) -> None:
    """Run what the shell hands on, one after the other, until an empty line."""
    with os.fdopen(os.dup(requests), encoding="utf-8") as lines:
        for line in lines:
            if not line.strip():
                return
            place = Path(line.strip())
            words = (place / "arguments").read_text(encoding="utf-8").split("\0")[:-1]
            named = (place / "env").read_text(encoding="utf-8").split("\0")[:-1]
            terminal = place / "terminal"
            ended = forking.PRODUCT.run(
                words,
                dict(pair.split("=", 1) for pair in named),
                Path((place / "folder").read_text(encoding="utf-8").rstrip("\n")),
                terminal.read_text(encoding="utf-8").strip() if terminal.exists() else None,
            )
            (place / "out").write_bytes(ended.out)
            (place / "err").write_bytes(ended.err)
            (place / "code").write_text(f"{ended.code}\n", encoding="utf-8")


def agrees(page: str, shown: str) -> bool:
    """Tell whether a terminal showed what a page says, wherever lines are broken; `…` stands for anything."""
    wanted, found = " ".join(page.split()), " ".join(shown.split())
    return re.fullmatch(".*?".join(map(re.escape, wanted.split("…"))), found) is not None
