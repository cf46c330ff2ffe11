"""The audit record: what was meant, who allowed it and what came of it, one chained line each.

A JSONL file, mode 0600, that only grows. There is no rotation: a write leaves about 1 kB. To start a new record, stop
the servers and move the file and its `.head` away together; the old pair can still be verified where it lies.
"""

from barrack_mcp.state.audit.audit import ELICITED, NEVER_ASKS, UNATTENDED, Audit, approved_by
from barrack_mcp.state.audit.record import AuditError, digest
from barrack_mcp.state.audit.verify import Break, Report, Unfinished, unfinished, verify

__all__ = [
    "ELICITED",
    "NEVER_ASKS",
    "UNATTENDED",
    "Audit",
    "AuditError",
    "Break",
    "Report",
    "Unfinished",
    "approved_by",
    "digest",
    "unfinished",
    "verify",
]
