"""How the API in use is spelled: overrides from a file, over the vendor's document, over what we ship."""

from __future__ import annotations

import contextlib
import logging
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from barrack_mcp.api.http.network import Network
from barrack_mcp.api.wire.bounds import bounded
from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.loading import OverridesError, load
from barrack_mcp.api.wire.overrides import Overrides, merged
from barrack_mcp.api.wire.seen import noted, remembered
from barrack_mcp.api.wire.shipped import over_shipped
from barrack_mcp.catalogue import OFFERS, OPERATIONS, Offer, Operation
from barrack_mcp.config import Settings, SettingsError
from barrack_mcp.state.files import make_folder, replace

SEEN_FILE: Final = "seen.json"
"""In the state folder: what has been seen to work."""

MENTIONED_FILE: Final = "mentioned.txt"
"""In the state folder: what was said last of learning."""
STALE: Final = timedelta(days=90)
"""What was learned so long ago may have changed."""

_DAY: Final = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_log = logging.getLogger(__name__)


async def open_contract(settings: Settings) -> Contract:
    """Build the contract in force; the simulator speaks as we ship it.

    Raises:
        SettingsError: One sentence for each mistake in the overrides, or what is wrong with the document.
    """
    if settings.simulator:
        if settings.contract is not None or settings.openapi is not None:
            _log.warning("The simulator speaks as we ship it: BARRACK_CONTRACT and BARRACK_OPENAPI are not read.")
        return Contract()
    overrides = over_shipped(overrides_in(settings.contract) if settings.contract is not None else Overrides())
    if settings.openapi is not None:
        overrides = laid_over(await _overrides_from(settings.openapi, settings.network), overrides)
    contract = Contract(overrides)
    for tool, words in contract.refused.items():
        _log.warning("What was said of %s is not followed: it %s.", tool, words)
    contract.trust(remembered(_bytes(settings.state_folder / SEEN_FILE), place(settings, contract)[0], contract))
    return contract


def surface(settings: Settings, contract: Contract) -> dict[str, Offer]:
    """Answer the tools that the settings offer, by name and in the catalogue's order, as the contract has them."""
    return {
        tool: contract.operation(offer) if isinstance(offer, Operation) else offer
        for tool, offer in OFFERS.items()
        if settings.offers(offer)
    }


def laid_over(document: Overrides, by_hand: Overrides) -> Overrides:
    """What a document says under what a person wrote; where both can't be, the person's word alone."""
    _, refused = bounded(merged(document, by_hand))
    kept = {tool: override for tool, override in document.operations.items() if tool not in refused}
    for tool in document.operations.keys() & refused.keys():
        _log.warning("What the document says of %s is not followed: it %s.", tool, refused[tool])
    return merged(Overrides(api=document.api, operations=kept, status=document.status), by_hand)


def learnable(settings: Settings, contract: Contract, today: date) -> str:
    """Say that a newer contract can be learned, if one may be; asks nobody.

    Args:
        settings: What the operator set.
        contract: The contract in force.
        today: The day that its own days are held against.
    """
    if settings.simulator:
        return ""
    guesses = sum(map(contract.guesses, OPERATIONS))
    if guesses:
        return (
            f"{guesses} of {len(OPERATIONS)} paths are guesses of ours: barrack-mcp contract learn reads the vendor's "
            "documentation, without a key, and writes what is known better."
        )
    days = [
        found[-1] for each in contract.overrides.operations.values() if (found := _DAY.findall(each.documented or ""))
    ]
    if days and max(days) < (today - STALE).isoformat():
        return (
            f"The contract in force was learned on {max(days)}: barrack-mcp contract learn tells whether anything has "
            "changed since."
        )
    return ""


def mention(settings: Settings, contract: Contract, today: date) -> None:
    """Say so in the log, once for each thing that there is to say."""
    words = learnable(settings, contract, today)
    marker = settings.state_folder / MENTIONED_FILE
    if not words or _bytes(marker) == words.encode():
        return
    _log.warning("%s", words)
    # where it can't be kept that it was said, it is said again
    with contextlib.suppress(OSError):
        make_folder(marker.parent)
        replace(marker, words.encode())


async def _overrides_from(source: str, network: Network) -> Overrides:
    from barrack_mcp.api.openapi.adopt import adopted  # noqa: PLC0415 - mostly not needed, and not small
    from barrack_mcp.api.openapi.document import DocumentError, FetchError, document_from  # noqa: PLC0415 - likewise

    try:
        return adopted(await document_from(source, network=network))
    except (DocumentError, FetchError) as error:
        raise SettingsError(f"BARRACK_OPENAPI: {error}") from None


def place(settings: Settings, contract: Contract) -> tuple[str, str, str]:
    """The base URL, and name and value of the key's header: a setting wins over the contract."""
    api, said = contract.overrides.api, settings.model_fields_set
    return (
        settings.api_url if "api_url" in said else api.url or settings.api_url,
        settings.auth_header if "auth_header" in said else api.auth_header or settings.auth_header,
        settings.auth_template if "auth_template" in said else api.auth_template or settings.auth_template,
    )


def keep_seen(settings: Settings, contract: Contract) -> None:
    """Keep what has been seen to work for the next start; a folder that can't be written is no failure."""
    path = settings.state_folder / SEEN_FILE
    try:
        make_folder(path.parent)
        replace(path, noted(_bytes(path), place(settings, contract)[0], contract))
    except OSError as error:
        _log.warning("What works could not be kept in %s (%s).", path, error.strerror)


def overrides_in(path: Path, named: str = "BARRACK_CONTRACT") -> Overrides:
    """Read the operator's overrides.

    Args:
        path: Their file.
        named: The setting that names it, for messages.

    Raises:
        SettingsError: With a line for each mistake.
    """
    try:
        return load(path.read_bytes(), str(path))
    except OSError as error:
        raise SettingsError(f"{named}: {path} can't be read ({error.strerror}).") from None
    except OverridesError as error:
        raise SettingsError("\n".join(f"{named}: {mistake}" for mistake in error.mistakes)) from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
