"""`python -m barrack_mcp` is `barrack-mcp`."""

from barrack_mcp.cli import main

if __name__ == "__main__":
    main()
