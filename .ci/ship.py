"""Make what a user learned the contract that is shipped: `python .ci/ship.py BUNDLE`, then look at the difference.

The bundle is what `barrack-mcp contract learn --report` wrote. It passes the bounds of every contract, or nothing is
written. Afterwards: `barrack-mcp manifests --write`, which brings tool list, README and manifests up to it.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from barrack_mcp.api.learning.contract.bundle import BundleError, as_module, unbundle
from barrack_mcp.api.wire.shipped import laid_over, shipped

MODULE = Path(__file__).parents[1] / "barrack_mcp" / "api" / "wire" / "learned.py"


def main() -> int:
    """Write the module; answers an exit code."""
    try:
        (name,) = sys.argv[1:]
    except ValueError:
        sys.stderr.write("Usage: python .ci/ship.py BUNDLE\n")
        return 2
    try:
        said = unbundle(Path(name).read_bytes())
    except (BundleError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    MODULE.write_text(as_module(laid_over(shipped(), said), MODULE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(
        f"{len(said.operations)} operations are documented now. Next: ruff format, a look at git diff, then "
        "barrack-mcp manifests --write and the tests.\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
