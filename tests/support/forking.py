"""Commands of the product, each in a process of its own, that share one start: loading it takes a second of CPU.

A process loads the product and then forks for each command. What a command is given it has: its arguments, all of its
environment, its folder, and a terminal only where one is named; what Python itself takes from the environment at its
start, the first one has.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from tests.support.running import environment


@dataclass(frozen=True)
class Ended:
    """What came of a command: its code and what it said."""

    code: int
    out: bytes
    err: bytes

    @property
    def said(self) -> bytes:
        """All that it said."""
        return self.out + self.err


class Product:
    """A process with the product loaded, started when the first command is run; an ended one is started anew.

    Args:
        around: Its environment, made when it is started.
    """

    def __init__(self, around: Callable[[], Mapping[str, str]] = environment) -> None:
        self._around = around
        self._process: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()
        atexit.register(self.close)

    def close(self) -> None:
        """Let the process end."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def run(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        folder: Path | None = None,
        terminal: str | None = None,
    ) -> Ended:
        """Run a command to its end.

        Args:
            arguments: What stands behind `barrack-mcp`.
            env: The whole of its environment.
            folder: Where it is started; otherwise where the test is.
            terminal: The terminal that it reads from and writes to; what it says is then there alone.
        """
        with self._turn, TemporaryDirectory() as place:
            out, err = Path(place) / "out", Path(place) / "err"
            asked = {"args": arguments, "env": dict(env), "out": str(out), "err": str(err)}
            asked["folder"] = str(folder or Path.cwd())
            if terminal is not None:
                asked |= {"in": terminal, "out": terminal, "err": terminal}
            started = self._running()
            assert started.stdin is not None
            assert started.stdout is not None
            started.stdin.write(json.dumps(asked) + "\n")
            started.stdin.flush()
            code = int(started.stdout.readline())
            return Ended(code, *(path.read_bytes() if path.exists() else b"" for path in (out, err)))

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.forking"],
                env=dict(self._around()),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        return self._process


PRODUCT = Product()
"""The one that tests share which don't care for what it was started with."""


def fork_for_each(asking: IO[str], telling: IO[str]) -> None:
    """Load the product and run what is asked for, line by line; in the process of a command, this ends with it."""
    from importlib import import_module  # noqa: PLC0415 - loaded in the process that is forked

    from barrack_mcp.cli.app import MODULES, main  # noqa: PLC0415 - likewise

    for module in MODULES.values():
        import_module(f"barrack_mcp.cli.{module}")
    for line in asking:
        asked: dict[str, Any] = json.loads(line)
        if (child := os.fork()) == 0:
            os.environ.clear()
            os.environ.update(asked["env"])
            os.chdir(asked["folder"])
            os.dup2(os.open(asked.get("in", os.devnull), os.O_RDONLY), 0)
            for to, name in ((1, "out"), (2, "err")):
                os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_NOCTTY), to)
            if "in" in asked:
                # made anew, as Python makes them at a terminal; what the first process has may be made for files
                for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
                    setattr(sys, name, os.fdopen(number, mode, buffering=1, closefd=False))
            sys.argv = ["barrack-mcp", *asked["args"]]
            main()
        telling.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        telling.flush()


if __name__ == "__main__":
    with os.fdopen(os.dup(0)) as asking, os.fdopen(os.dup(1), "w") as telling:
        fork_for_each(asking, telling)
