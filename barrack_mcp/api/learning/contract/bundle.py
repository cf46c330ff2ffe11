"""What was learned, to be given to this project: names, types and places; nothing secret, nothing of an account.

What a document holds as an example, a default or in words may be somebody's, and what an API answered with a key may
be its owner's: neither goes into a bundle. What looks like an id, an address of mail or a number of a thing doesn't
either, wherever it stands.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from pprint import pformat
from typing import Any, Final
from urllib.parse import urlsplit

from barrack_mcp import __version__
from barrack_mcp.api.http import is_loopback
from barrack_mcp.api.learning.contract.file import documented
from barrack_mcp.api.learning.contract.merging import Claim, Learned, may_hold_the_key, same_site
from barrack_mcp.api.learning.found import Found, Source
from barrack_mcp.api.openapi.document import TheirOperation
from barrack_mcp.api.openapi.export import SERVER
from barrack_mcp.api.openapi.schemas import Shape
from barrack_mcp.api.wire.loading import from_table
from barrack_mcp.api.wire.overrides import Overrides, as_table
from barrack_mcp.catalogue import BY_TOOL, JsonObject

FORMAT: Final = 1
MAX_BYTES: Final = 5_000_000

_PUBLIC: Final = frozenset({Source.SITE, Source.DOCUMENT})
"""Sources that say the same to everybody; the others may list what an account has as the values of a field."""
_NAME: Final = re.compile(r"[A-Za-z_$@][A-Za-z0-9_$-]{0,63}")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _./+:-]{0,63}")
_SEGMENT: Final = re.compile(r"[A-Za-z][A-Za-z0-9._~-]{0,63}|v[0-9]{1,3}|\{[a-z0-9_]{1,64}\}")
_SOMEBODYS: Final = re.compile(
    r"@|[0-9]{5,}|[0-9a-f]{8}-[0-9a-f]{4}-|(?<![0-9a-f])(?=[a-f]*[0-9])[0-9a-f]{12,}|[0-9]{1,3}(\.[0-9]{1,3}){3}"
    r"|(?<![A-Za-z0-9_-])(?=[A-Za-z_-]*[0-9])(?=[0-9_-]*[A-Za-z])[A-Za-z0-9_-]{24,}",
    re.IGNORECASE,
)
_PAGE: Final = re.compile(r"-[0-9]{5,10}e0(?=\.md$|$)")
_LIMITS: Final = ("minimum", "maximum", "minLength", "maxLength", "min_length", "max_length")
_OF_AN_ARGUMENT: Final = ("name", "in", "required", "type", "minimum", "maximum", "min_length", "max_length")
_DEEPEST: Final = 8


class BundleError(Exception):
    """The bundle can't be used; the text says why."""


def bundle(learned: Learned) -> str:
    """Write what was learned as a bundle: JSON, the same for the same facts."""
    operations = {
        tool: _operation(learned.comparison.findings[tool].match.theirs, origins.where, origins.takes, origins.answers)
        for tool, origins in learned.origins.items()
        if _plain_path(learned.comparison.findings[tool].written)
    }
    made = {
        "format": FORMAT,
        "made_by": f"barrack-mcp {__version__}",
        "sources": [_source(found) for found in learned.founds],
        "contract": _contract(learned, frozenset(operations)),
        "operations": operations,
    }
    return json.dumps(made, indent=2, ensure_ascii=True) + "\n"


def unbundle(raw: bytes) -> Overrides:
    """Read the contract in a bundle.

    Raises:
        BundleError: It is none, or it holds what no contract may.
    """
    if len(raw) > MAX_BYTES:
        raise BundleError(f"It is larger than {MAX_BYTES // 10**6} MB.")
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError):
        raise BundleError("It is not JSON.") from None
    if not isinstance(said, dict) or said.get("format") != FORMAT or not isinstance(said.get("contract"), dict):
        raise BundleError(f"It is no bundle of format {FORMAT}, as contract learn --report writes it.")
    overrides, mistakes = from_table(said["contract"])
    if mistakes:
        raise BundleError("\n".join(f"{'.'.join(way)} {words}." for way, words in mistakes))
    api = overrides.api
    if api.url is not None and not same_site(SERVER, api.url):
        raise BundleError("Its base URL is another site than the vendor's: the key of everybody would go there.")
    if api.auth_header is not None and not may_hold_the_key(api.auth_header):
        raise BundleError("Its header for the key is one that says something else.")
    if sending := [tool for tool, each in overrides.operations.items() if each.constants and not BY_TOOL[tool].reads]:
        raise BundleError(f"It would send something with every call that nobody sees: {', '.join(sending)}.")
    if undocumented := [tool for tool, each in overrides.operations.items() if each.documented is None]:
        raise BundleError(f"It doesn't say where these are documented: {', '.join(undocumented)}.")
    return overrides


def as_module(overrides: Overrides, module: str) -> str:
    """Write a contract into the text of the catalogue's module that holds it."""
    head, _, rest = module.partition("CONTRACT: Final[JsonObject] = ")
    tail = rest[rest.index('\n"""') :]
    return f"{head}CONTRACT: Final[JsonObject] = {pformat(as_table(overrides), sort_dicts=False)}{tail}"


def _contract(learned: Learned, tools: frozenset[str]) -> JsonObject:
    table = as_table(learned.overrides)
    said = {}
    for tool in learned.origins:
        if tool in tools:
            (row,) = as_table(Overrides(operations={tool: documented(learned, tool)}))["operations"].values()
            said[tool] = _bare_operation(row, learned.origins[tool].takes, learned.origins[tool].answers)
            said[tool]["documented"] = _documented(learned.origins[tool].where)
    api = {name: value for name, value in table.get("api", {}).items() if not _SOMEBODYS.search(value)}
    if "url" in api and not _is_public(api["url"]):
        del api["url"]
    if api.get("auth_template", "{key}").replace("{key}", "").strip() not in ("", "Bearer", "Token", "Api-Key"):
        del api["auth_template"]
    status = {
        kind: {theirs: ours for theirs, ours in states.items() if _plain_word(theirs)}
        for kind, states in table.get("status", {}).items()
    }
    return {"api": api, "operations": said, "status": status}


def _bare_operation(row: JsonObject, takes: Claim | None, answers: Claim | None) -> JsonObject:
    """One operation's override without words, examples, defaults and what only an account says."""
    bare: JsonObject = {name: row[name] for name in ("method", "path", "result", "send", "requires") if name in row}
    public = all(claim is None or claim.found.source in _PUBLIC for claim in (takes, answers))
    bare["fields"] = {
        ours: theirs for ours, theirs in row.get("fields", {}).items() if all(map(_plain_name, theirs.split(".")))
    }
    bare["arguments"] = {
        name: _bare_argument(said, public=public)
        for name, said in row.get("arguments", {}).items()
        if all(map(_plain_name, (name, *str(said.get("name", name)).split("."))))
    }
    bare["about"] = {
        name: facts for name, said in row.get("about", {}).items() if (facts := _bare_argument(said, public=public))
    }
    for section in ("values", "constants") if public else ():
        tables = row.get(section, {})
        bare[section] = {name: each for name, each in tables.items() if _plain_values(each)}
    return {name: value for name, value in bare.items() if value not in ({}, [])}


def _bare_argument(said: JsonObject, *, public: bool) -> JsonObject:
    kept: JsonObject = {
        name: said[name] for name in ("name", "in", "required", "type", "minimum", "maximum") if name in said
    }
    if public and "enum" in said and _plain_values(said["enum"]):
        kept["enum"] = said["enum"]
    return kept


def _operation(theirs: TheirOperation, where: Claim, takes: Claim | None, answers: Claim | None) -> JsonObject:
    """What an operation takes and answers, by names and types."""
    asked = {each.name: each for each in theirs.parameters if _plain_name(each.name)}
    return {
        "method": theirs.method,
        "path": theirs.path,
        "from": _documented(where),
        "parameters": {
            name: {"in": each.place, "required": each.required, **_schema(each.shape, _is_open(takes))}
            for name, each in asked.items()
        },
        "takes": _schema(theirs.body, _is_open(takes)) if theirs.body is not None else {},
        "answers": _schema(theirs.answer, _is_open(answers)) if theirs.answer is not None else {},
    }


def _is_open(claim: Claim | None) -> bool:
    return claim is not None and claim.found.source in _PUBLIC


def _schema(shape: Shape, public: bool, depth: int = 0) -> JsonObject:  # noqa: FBT001 - walks down with it
    said: JsonObject = {"type": sorted(shape.kinds)} if shape.kinds else {}
    if public and shape.enum and _plain_values(shape.enum):
        said["enum"] = list(shape.enum)
    said |= {name: shape.limits[name] for name in _LIMITS if isinstance(shape.limits.get(name), int | float)}
    fields = {name: inner for name, inner in shape.fields.items() if _plain_name(name)}
    if fields and depth < _DEEPEST:
        said["fields"] = {name: _schema(inner, public, depth + 1) for name, inner in fields.items()}
        said["required"] = sorted(shape.required & fields.keys())
    if shape.items is not None and depth < _DEEPEST:
        said["items"] = _schema(shape.items, public, depth + 1)
    return {name: value for name, value in said.items() if value not in ({}, [])}


def _source(found: Found) -> JsonObject:
    return {
        "source": found.source.value,
        "place": _public_place(found.place),
        "day": found.day.isoformat(),
        "complete": found.complete,
    }


def _documented(claim: Claim) -> str:
    return f"{claim.found.source}, {_public_place(claim.place)}, {claim.found.day.isoformat()}"


def _public_place(address: str) -> str:
    """An address that anybody may know; else in words that it isn't one."""
    if not _is_public(address):
        return "an address of its own"
    parts = urlsplit(address)
    # a page's number is its site's, not an account's
    somebodys = _SOMEBODYS.search(_PAGE.sub("", parts.path))
    return f"{parts.scheme}://{parts.hostname}{'' if somebodys else parts.path}"


def _is_public(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    if (
        parts.scheme != "https"
        or parts.username is not None
        or is_loopback(host)
        or "." not in host
        or _SOMEBODYS.search(host)
    ):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return not host.endswith((".local", ".internal", ".lan", ".home", ".corp"))
    return False


def _plain_path(path: str) -> bool:
    return all(_SEGMENT.fullmatch(part) and not _SOMEBODYS.search(part) for part in path.strip("/").split("/"))


def _plain_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and not _SOMEBODYS.search(name)


def _plain_word(value: Any) -> bool:
    if isinstance(value, bool | float):
        return True
    return bool(_WORD.fullmatch(str(value))) and not _SOMEBODYS.search(str(value))


def _plain_values(said: Any) -> bool:
    values = said.values() if isinstance(said, Mapping) else said if isinstance(said, list | tuple) else (said,)
    return all(_plain_word(value) for value in values)
