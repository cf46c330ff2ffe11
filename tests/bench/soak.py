"""Whether a server keeps what it should let go: `python -m tests.bench.soak CALLS`.

64 clients call at once, and one in a hundred of the API's answers is a fault. It prints memory and open descriptors at
ten points, and the slope of memory over the second half. It fails if that is beyond a megabyte for 10,000 calls, or if
descriptors stay open.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.servers import OURS, PORT, Server
from tests.bench.wire import Posts, called, is_whole, listening

CLIENTS: Final = 64
POINTS: Final = 10
MOST_MB: Final = 1.0
"""For 10,000 calls."""
MOST_DESCRIPTORS: Final = 8
SOAKED: Final = Server(
    OURS.name,
    (),
    (sys.executable, "-m", "tests.bench.faulty", "serve", "--simulator", "--transport", "http", "--port", PORT),
    "list_volumes",
)


@dataclass
class Told:
    """What was answered so far."""

    good: int = 0
    failed: int = 0
    _left: int = field(default=0, repr=False)

    async def press(self, port: int, request: bytes, calls: int) -> None:
        """Have so many calls made by all clients together, each at a connection of its own."""
        self._left = calls
        async with asyncio.TaskGroup() as tasks:
            for _ in range(CLIENTS):
                tasks.create_task(self._client(port, request))

    async def _client(self, port: int, request: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while self._left > 0:
            self._left -= 1
            writer.write(request)
            data = b""
            while not is_whole(data):
                data += await reader.read(1 << 18)
            good = b'"isError":false' in data
            self.good, self.failed = self.good + good, self.failed + (not good)
        writer.close()
        await writer.wait_closed()


def main() -> int:
    """Soak, print and judge; answers an exit code."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    told, memory, descriptors = Told(), [], []
    with tempfile.TemporaryDirectory(prefix="barrack-mcp-soak-") as folder, listening(SOAKED, Path(folder)) as server:
        process, port = server
        request = Posts(port, "modern").request("tools/call", called(SOAKED))
        for point in range(1, POINTS + 1):
            asyncio.run(told.press(port, request, calls // POINTS))
            # the last connections are being closed
            time.sleep(0.5)
            memory.append(process.resident_mb)
            descriptors.append(process.descriptors)
            sys.stdout.write(
                f"{point * (calls // POINTS):>9,} calls: {memory[-1]:6.1f} MB, {descriptors[-1]:3} descriptors, "
                f"{told.good:,} good, {told.failed:,} failed\n"
            )
            sys.stdout.flush()
    half = POINTS // 2
    slope = statistics.linear_regression(range(half), memory[half:]).slope / (calls / POINTS) * 10_000
    grown = descriptors[-1] - descriptors[0]
    sys.stdout.write(f"In its second half: {slope:+.2f} MB for 10,000 calls; {grown:+} descriptors in all.\n")
    return 0 if slope <= MOST_MB and grown <= MOST_DESCRIPTORS and told.good else 1


if __name__ == "__main__":
    raise SystemExit(main())
