"""Start the server that lies beside this script."""  # noqa: INP001 - a script in a bundle

import sys

from barrack_mcp.cli import main

sys.argv = ["barrack-mcp", "serve"]
main()
