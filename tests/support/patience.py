"""How long tests wait for what is to happen: so long that only what never happens ends it, and never a busy machine.

A test whose sentence is that something happens *soon* keeps a number of its own, and gives what it would wait for
otherwise far more: a setting of an hour beside a bound of a minute.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

PATIENT_S: Final = 240.0
"""What takes longer will never be."""


def worked_s(pid: int) -> float:
    """Seconds for which a processor has worked for a process, however many others it worked for; Linux alone tells."""
    if sys.platform != "linux":
        return 0.0
    told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")
