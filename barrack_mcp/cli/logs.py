"""The log on stderr: text for people, or JSON lines for what gathers logs, each with the request that it is about."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Literal

from barrack_mcp.api.redact import Redaction, protect
from barrack_mcp.state.audit.origin import current

_log = logging.getLogger("barrack_mcp")


_PORTS: Final = ("http", "sse")
"""Transports by which many come, so that a line for people says for which request it is, too."""


class TextLines(logging.Formatter):
    """Writes a record for people; where many come, its line ends with the request."""

    def __init__(self) -> None:
        super().__init__("barrack-mcp: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Write the line before a traceback."""
        line, origin = super().formatMessage(record), current()
        return f"{line} (request {origin.request})" if origin.request and origin.transport in _PORTS else line


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON.

    Args:
        redaction: Knows what must not be seen: once it is JSON, what holds quotes or backslashes looks otherwise.
    """

    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        """Write the record; what can't be put together is named, since its parts may hold anything."""
        try:
            message = record.getMessage()
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the log goes on
            message = f"a record could not be written ({type(error).__name__})"
        origin = current()
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
            "request_id": origin.request,
            "transport": origin.transport,
            "error": self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else "",
        }
        return json.dumps({name: self._redaction.hidden(value) for name, value in said.items() if value})


def write_as(form: Literal["text", "json"], redaction: Redaction) -> None:
    """Log in a form from now on, and keep secrets out of it.

    Args:
        form: The form.
        redaction: Knows the secrets.
    """
    written = JsonLines(redaction) if form == "json" else TextLines()
    for handler in logging.getLogger().handlers:
        handler.setFormatter(written)
    protect(redaction)
    if form == "json":
        logging.captureWarnings(capture=True)
        sys.excepthook = _crashed


def _crashed(kind: type[BaseException], error: BaseException | None, frames: TracebackType | None) -> None:
    """Log what nobody caught, as the rest of the log is written."""
    _log.critical(
        "The process ended by an error of its own.", exc_info=(kind, error, frames) if error is not None else None
    )
