"""How long a command takes as a whole process, as pyperf times it, beside the import of the SDK alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.bench.figures import Figure
from tests.bench.servers import OURS, environment

IMPORT: Final = "import mcp"
COMMANDS: Final = {
    OURS.name: (sys.executable, "-m", "barrack_mcp", "call", "list_instances", "--simulator"),
    IMPORT: (sys.executable, "-c", IMPORT),
}


def measured(folder: Path, rounds: int) -> list[Figure]:
    """Run both in turns, once before uncounted."""
    values: dict[str, list[float]] = {}
    env = environment(OURS, folder)
    for number in range(rounds + 1):
        for name, command in COMMANDS.items():
            out = folder / f"command-{number}-{name.replace(' ', '-')}.json"
            timing = (sys.executable, "-m", "pyperf", "command", "--quiet", "-p1", "-n1", "-w0", "-l1", "-o", str(out))
            kept = f"--inherit-environ={','.join(env)}"
            subprocess.run([*timing, kept, "--", *command], env=env, check=True, stdout=subprocess.DEVNULL)
            runs = json.loads(out.read_text(encoding="utf-8"))["benchmarks"][0]["runs"]
            if number:
                values.setdefault(name, []).append(runs[-1]["values"][0])
    words = "the command call list_instances --simulator, beside import mcp"
    return [Figure("command_call", words, "s", values, IMPORT)]
