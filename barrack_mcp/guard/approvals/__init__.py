"""Requests for a person's yes out of band, their answers, and who may give them."""

from __future__ import annotations

from barrack_mcp.guard.approvals.approvals import (
    MAX_WRONG_NAMES,
    MOST_PENDING,
    Approval,
    ApprovalError,
    Approvals,
    NotPending,
    Status,
    TooManyPending,
    UnknownApproval,
    Witness,
    WrongName,
)
from barrack_mcp.guard.approvals.approvers import (
    ON_THE_PAGE,
    Approvers,
    Person,
    find_signer,
    is_signed_on_page,
    name_asker,
    sign,
)

__all__ = [
    "MAX_WRONG_NAMES",
    "MOST_PENDING",
    "ON_THE_PAGE",
    "Approval",
    "ApprovalError",
    "Approvals",
    "Approvers",
    "NotPending",
    "Person",
    "Status",
    "TooManyPending",
    "UnknownApproval",
    "Witness",
    "WrongName",
    "find_signer",
    "is_signed_on_page",
    "name_asker",
    "sign",
]
