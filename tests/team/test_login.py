"""Who somebody is who comes by HTTP: by the file, by the identity provider, and on whose behalf they say they come."""

from __future__ import annotations

import json
from dataclasses import replace

from barrack_mcp.state.store import Approval, Status

REQUEST = Approval(
    id="a-1",
    binding="b",
    caller="ci-bot",
    tool="stop_instance",
    arguments={},
    plan={},
    must_type=None,
    fingerprint="f",
    status=Status.PENDING,
    created_at=1.0,
    expires_at=2.0,
)


def test_a_request_that_names_nobody_else_is_kept_as_earlier_versions_kept_it() -> None:
    text = REQUEST.to_json()
    assert "on_behalf_of" not in json.loads(text)
    assert Approval.from_json(text).to_json() == text
    claimed = replace(REQUEST, on_behalf_of="ada")
    assert Approval.from_json(claimed.to_json()) == claimed
