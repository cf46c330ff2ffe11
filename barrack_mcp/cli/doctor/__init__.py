"""Says what is wrong between here and the API, and how to mend it. Asks with GET alone: it never writes."""

from barrack_mcp.cli.doctor.examine import examine
from barrack_mcp.cli.doctor.report import Check, Drift, Read, Report, Verdict

__all__ = ["Check", "Drift", "Read", "Report", "Verdict", "examine"]
