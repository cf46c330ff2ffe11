"""What was learned as a file that a person reads before it counts: where each fact is from, and what is not in it.

It is a whole contract. What the one in force says and no source does stays, marked as kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import tomlkit

from barrack_mcp.api.learning.contract.merging import Claim, Learned, Origins
from barrack_mcp.api.learning.found import Found
from barrack_mcp.api.openapi.adopt import as_lines, title_of, unsure_lines
from barrack_mcp.api.openapi.differences import Findings, printable
from barrack_mcp.api.wire.loading import from_table
from barrack_mcp.api.wire.overrides import PAGING, ApiOverride, OperationOverride, Overrides, as_table, merged
from barrack_mcp.catalogue import BY_TOOL, JsonObject

_KEPT: Final = "kept from the contract in force; no source says it"
_SIDES: Final = ("request.", "answer.")


def after(learned: Learned, in_force: Overrides) -> Overrides:
    """The whole contract as it would be if what was learned were followed.

    Args:
        learned: What was learned; its word counts wherever it says anything, be it that all is as shipped.
        in_force: The contract in force, which stays where no source says anything.
    """
    operations: dict[str, OperationOverride] = {}
    for tool in BY_TOOL:
        before = in_force.operations.get(tool)
        if tool not in learned.origins:
            operations |= {tool: before} if before is not None else {}
            continue
        said = documented(learned, tool)
        operations[tool] = said if before is None else _laid(learned, tool, said, before)
    api = _api(learned, in_force.api)
    whole = Overrides(api=api, operations=operations, status=_status(learned, in_force))
    # where a kept fact does not go with a learned one, the learned ones stand alone
    _, mistakes = from_table(as_table(whole))
    for tool in {way[1] for way, _ in mistakes if way[0] == "operations" and len(way) > 1}:
        operations.pop(tool, None)
        if tool in learned.origins:
            operations[tool] = documented(learned, tool)
    whole, _ = from_table(as_table(replace(whole, operations=operations)))
    return whole


def is_news(learned: Learned, in_force: Overrides) -> bool:
    """Whether anything would differ if what was learned were followed, but the day on which it was read."""
    return _undated(after(learned, in_force)) != _undated(in_force)


def _undated(overrides: Overrides) -> Overrides:
    """The same, whichever page says it and whenever it was read."""
    operations = {
        tool: replace(said, documented=said.documented and "somewhere") for tool, said in overrides.operations.items()
    }
    return replace(overrides, operations=operations)


def documented(learned: Learned, tool: str) -> OperationOverride:
    """What was learned of an operation, with where and when."""
    said = learned.overrides.operations.get(tool, OperationOverride())
    return replace(said, documented=source_of(learned.origins[tool].where))


def _laid(learned: Learned, tool: str, said: OperationOverride, before: OperationOverride) -> OperationOverride:
    """What was learned of an operation over what is in force for it, fact by fact."""
    origins, findings = learned.origins[tool], learned.comparison.findings[tool]
    told = _told(findings)
    takes, answers = origins.takes is not None, origins.answers is not None
    return replace(
        said,
        result=said.result if answers else before.result,
        send=said.send if takes else before.send,
        requires=said.requires if takes else before.requires,
        constants={**before.constants, **said.constants},
        arguments=dict(said.arguments) if takes else {**before.arguments, **said.arguments},
        fields={**_untold(before.fields, told), **said.fields},
        values={**_untold(before.values, told), **said.values},
        about=said.about if takes else {**before.about, **said.about},
    )


def _told(findings: Findings) -> frozenset[str]:
    """What is known under its name: each of our names as overrides may write it."""
    sided = [*findings.pairs, *(f"request.{name}" for name in findings.placed)]
    return frozenset(name for key in sided for name in (key, key.partition(".")[2]))


def _untold(table: Mapping[str, Any], told: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in told}


def _api(learned: Learned, before: ApiOverride) -> ApiOverride:
    said = learned.overrides.api
    made = merged(Overrides(api=before), Overrides(api=said)).api
    if (auth := learned.comparison.document.auth) is not None and before.auth_header is not None:
        made = replace(made, auth_header=auth.header, auth_template=auth.template)
    paged = any(findings.operation.paged and _told(findings) for findings in learned.comparison.findings.values())
    return replace(
        made,
        slash=said.slash if learned.origins else before.slash,
        **({name: getattr(said, name) for name in PAGING} if paged else {}),
    )


def _status(learned: Learned, in_force: Overrides) -> dict[str, dict[str, str]]:
    return dict(merged(Overrides(status=in_force.status), Overrides(status=learned.overrides.status)).status)


def write(learned: Learned, in_force: Overrides) -> str:
    """Write the contract as TOML with the source and the day of each fact; what is not followed is a comment."""
    whole = as_table(after(learned, in_force))
    lines = [*_head(learned), *_api_lines(learned, whole)]
    for kind, table in whole.get("status", {}).items():
        lines += ["", *as_lines({"status": {kind: table}})]
    for tool, table in whole.get("operations", {}).items():
        lines += ["", *_operation_lines(tool, table, learned.origins.get(tool), learned.comparison.findings.get(tool))]
    for tool, unsure in learned.unsure.items():
        lines += ["", f"# {_named(unsure.found, unsure.match.theirs.origin)}", title_of(unsure.match)]
        lines += unsure_lines(unsure.match, unsure.table) if tool not in whole.get("operations", {}) else []
    return "\n".join([*lines, *_rest(learned)]) + "\n"


def source_of(claim: Claim) -> str:
    """Where and when a source says what it says of one operation."""
    return _named(claim.found, claim.theirs.origin)


def _named(found: Found, origin: str = "") -> str:
    return f"{found.source}, {printable(origin or found.place)}, {found.day.isoformat()}"


def _head(learned: Learned) -> list[str]:
    lines = [
        "# A contract that barrack-mcp learned. Nothing of it counts until BARRACK_CONTRACT names this file:",
        "# look through it first. Learned from, the surest first:",
    ]
    for found in learned.founds:
        count = sum(any(claim.found is found for claim in each.all) for each in learned.origins.values())
        part = "" if found.complete else "; not all of it could be read"
        lines.append(f"#   {_named(found)} ({count} of our operations{part})")
    return lines


def _api_lines(learned: Learned, whole: JsonObject) -> list[str]:
    table = whole.get("api", {})
    if not table:
        return []
    document = tomlkit.parse(tomlkit.dumps({"api": table}))
    said = as_table(learned.overrides).get("api", {})
    for name in table:
        if name == "url" and learned.url_from is not None:
            why = _named(learned.url_from)
        elif name.startswith("auth_") and learned.auth_from is not None:
            why = _named(learned.auth_from)
        elif name in said:
            why = "as most operations have it"
        else:
            why = _KEPT
        document["api"][name].comment(why)
    return ["", *tomlkit.dumps(document).strip().split("\n")]


def _operation_lines(tool: str, table: JsonObject, origins: Origins | None, findings: Findings | None) -> list[str]:
    if origins is None or findings is None:
        return [f"# {_KEPT}", *as_lines({"operations": {tool: table}})]
    lines = [f"# {source_of(origins.where)}", title_of(origins.where.findings.match)]
    document = tomlkit.parse(tomlkit.dumps({"operations": {tool: table}}))
    usual = source_of(origins.where)
    for item, why in _reasons(document["operations"][tool], origins, findings):
        if why != usual:
            item.comment(why)
    return [*lines, *tomlkit.dumps(document).strip().split("\n")]


def _reasons(table: Any, origins: Origins, findings: Findings) -> Iterator[tuple[Any, str]]:
    """Each line of an operation's table that can bear a comment, with where it is from."""
    takes = source_of(origins.takes) if origins.takes is not None else _KEPT
    answers = source_of(origins.answers) if origins.answers is not None else _KEPT
    where = source_of(origins.where)
    whole = {"method": where, "path": where, "documented": where, "result": answers, "send": takes, "requires": takes}
    for name, why in whole.items():
        if name in table:
            yield table.item(name), why
    for name in table.get("constants", {}):
        yield table["constants"].item(name), takes if name in findings.constants else _KEPT
    for name in table.get("fields", {}):
        yield table["fields"].item(name), _reason(name, origins, findings, takes, answers)
    sections = {"values": findings.values, "arguments": findings.arguments, "about": findings.about}
    for section, known in sections.items():
        for name, inner in table.get(section, {}).items():
            why = _reason(name, origins, findings, takes, answers) if name in known else _KEPT
            yield from ((inner.item(each), why) for each in list(inner)[:1])


def _reason(name: str, origins: Origins, findings: Findings, takes: str, answers: str) -> str:
    sides = [side for side in _SIDES if name.startswith(side)] or _SIDES
    for side in sides:
        key = side + name.removeprefix(side)
        if key in findings.pairs:
            claim = origins.added.get(findings.pairs[key])
            return source_of(claim) if claim is not None else takes if side == "request." else answers
    return takes if name in findings.arguments else _KEPT


def _rest(learned: Learned) -> Iterable[str]:
    """What is not followed, for a person to read."""
    disputes = [
        f"#   {each.tool or 'everywhere'}, {each.fact}: {each.taken} ({each.taken_from}), not {each.other} "
        f"({each.other_from})"
        for each in learned.disagreements
    ]
    refusals = [f"#   {each.tool or 'everywhere'}: {each.said} ({each.place}): {each.why}" for each in learned.refused]
    notes = [f"#   {printable(note)}" for found in learned.founds for note in found.notes]
    yield from _listed("Where sources disagree; the surer one counts:", disputes)
    yield from _listed("Refused:", refusals)
    yield from _listed("Not found, so left as it was:", [f"#   {tool}" for tool in learned.missing])
    yield from _listed("Told by the sources:", notes)


def _listed(title: str, lines: list[str]) -> list[str]:
    return ["", f"# {title}", *lines] if lines else []
