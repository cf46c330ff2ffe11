"""The one harness of several processes: they run the same program and start its work together.

The program says `ready` in a line of its own, waits for a line, and then does what it is there for; what else it prints
is what it has to say.
"""

from __future__ import annotations

import subprocess
import sys

from tests.support.patience import PATIENT_S


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    """Start it, and wait until it is ready."""
    words = [sys.executable, "-c", program, *map(str, arguments)]
    started = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert hear(started) == "ready"
    return started


def go(started: subprocess.Popen[str]) -> None:
    """Let it do what it is there for."""
    assert started.stdin
    started.stdin.write("go\n")
    started.stdin.flush()


def hear(started: subprocess.Popen[str]) -> str:
    """The next line that it prints."""
    assert started.stdout
    return started.stdout.readline().strip()


def contend(program: str, *arguments: object, processes: int = 4) -> list[str]:
    """Let several do the same at once, each ending well; what each of them had to say."""
    all_started = [start(program, *arguments) for _ in range(processes)]
    for started in all_started:
        go(started)
    said = [started.communicate(timeout=PATIENT_S)[0] for started in all_started]
    assert [started.returncode for started in all_started] == [0] * processes
    return said
