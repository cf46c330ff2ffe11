"""The signals that end this process softly: those of a person, a service manager, and a terminal that is closed."""

from __future__ import annotations

import signal
from typing import Final

ENDING: Final = tuple(
    number
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")
    # who started this process to outlive its terminal (nohup) has it ignore the last
    if (number := getattr(signal, name, None)) is not None
    and not (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN)
)
