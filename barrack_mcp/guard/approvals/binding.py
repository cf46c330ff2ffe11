"""What binds an answer to its call: digests of all that a yes is good for, by each key that still counts."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["bindings"]


def bindings(secrets: Sequence[bytes], tool: str, arguments: Mapping[str, Any], *who: str | None) -> Sequence[str]:
    """Digest all that a yes is good for; keyed, since arguments may hold a password that could be guessed.

    Args:
        secrets: The keys, newest first: an answer to what was asked under an older one counts while that is kept.
        tool: What is called.
        arguments: With what.
        who: Whose call it is.
    """
    bound = json.dumps([tool, dict(arguments), *who], sort_keys=True).encode()
    return [hmac.new(secret, bound, hashlib.sha256).hexdigest() for secret in secrets]
