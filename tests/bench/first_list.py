"""How long a client waits for its first list of tools, beside a server that has none.

The two start in turns, so that what else the machine does weighs on both alike. It prints figures and judges nothing.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Final

ROUNDS: Final = 20
OURS: Final = [sys.executable, "-m", "barrack_mcp", "serve", "--simulator"]
EMPTY: Final = [sys.executable, "-c", "from mcp.server import MCPServer; MCPServer('empty').run()"]
ERA: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
FRAME: Final = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": ERA}})


def first_list(command: list[str], folder: str) -> float:
    """Measure the seconds from the start of a process, compiled before, to its first answer to `tools/list`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BARRACK_", "COVERAGE"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    placed = kept | {"PYTHONPYCACHEPREFIX": folder, "BARRACK_STATE": f"{folder}/state.db"}
    begun = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=placed, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{FRAME}\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        seconds = time.perf_counter() - begun
        assert "tools" in answer["result"], answer
    return seconds


def told(name: str, seconds: list[float]) -> str:
    """Write one row of figures."""
    figures = (min(seconds), statistics.median(seconds), max(seconds))
    return f"{name:<8}" + "".join(f"{figure:>10.3f}" for figure in figures)


def main() -> None:
    """Measure in turns and print what came of it."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        for command in (OURS, EMPTY):
            first_list(command, folder)
        pairs = [(first_list(OURS, folder), first_list(EMPTY, folder)) for _ in range(rounds)]
    ours, empty = ([pair[side] for pair in pairs] for side in (0, 1))
    rows = [f"{rounds} starts each, in seconds", f"{'':<8}{'min':>10}{'median':>10}{'max':>10}"]
    rows += [told("ours", ours), told("empty", empty), told("ratio", [mine / theirs for mine, theirs in pairs])]
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
