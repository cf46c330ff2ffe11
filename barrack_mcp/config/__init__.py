"""Settings: read once from the environment, a TOML file and the command line's flags; nothing else reads them.

A setting that is wrong or misspelt is refused at the start, in one sentence: a safety switch that is silently ignored
is worse than none.
"""

from __future__ import annotations

from barrack_mcp.config.settings import Settings, SettingsError, default_key_file
from barrack_mcp.config.sources import IN_FILES, NAMES, PREFIX, read_settings

__all__ = ["IN_FILES", "NAMES", "PREFIX", "Settings", "SettingsError", "default_key_file", "read_settings"]
