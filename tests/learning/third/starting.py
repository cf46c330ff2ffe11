"""The third Barrack as a process of its own, and what a test says to it and hears of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.support.patience import PATIENT_S

KEY = "third.canary-5d01"
READER = "reader.canary-77aa"
"""The key that may read alone."""
HEADER = "X-Api-Token"


@dataclass(frozen=True)
class Third:
    """One that runs."""

    origin: str

    @property
    def url(self) -> str:
        return f"{self.origin}/cloud/v2"

    def told(self) -> dict[str, Any]:
        """Its requests, effects and things."""
        return self._control(None)

    def renew(self, **switches: Any) -> dict[str, Any]:
        """Set it back, with these switches; answers what it holds then."""
        return self._control(json.dumps(switches).encode())

    def _control(self, said: bytes | None) -> dict[str, Any]:
        request = Request(f"{self.origin}/-/control/", data=said)  # noqa: S310 - this machine
        with urlopen(request, timeout=PATIENT_S) as answer:  # noqa: S310 - likewise
            told: dict[str, Any] = json.load(answer)
        return told


@contextmanager
def third_barrack(folder: Path) -> Iterator[Third]:
    """Start one, with its warnings as errors, and end it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BARRACK_")}
    command = [sys.executable, "-W", "error", "-m", "tests.learning.third.serving"]
    root = Path(__file__).parents[3]
    environment = kept | {"THIRD_DATABASE": str(folder / "third.db")}
    with subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert port.isdecimal(), "the third Barrack did not start; its words are above"
            yield Third(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
