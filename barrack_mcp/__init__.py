"""MCP server for the Barrack AI GPU cloud."""

__version__ = "0.1.0"
