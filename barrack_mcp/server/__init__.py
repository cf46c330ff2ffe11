"""The catalogue in MCP's words, and the house that stands behind it."""
