"""What happens to startup scripts that are changed or deleted."""

from __future__ import annotations

from collections import Counter
from typing import Final

from barrack_mcp.account.things import Thing, age, counted, joined, labels, listed, said_when, text
from barrack_mcp.api.text import cite, mention
from barrack_mcp.catalogue.kinds import SCRIPT
from barrack_mcp.catalogue.outcome import Safer
from barrack_mcp.guard.plans.draft import Draft, Inquiry, require
from barrack_mcp.guard.plans.users import users

MOST_AT_ONCE: Final = 10
"""As many as one question names in full; what isn't named must not go with the rest."""

_MOST_LINES: Final = 12
"""Lines of a text that a plan shows one by one."""
_FIELDS: Final = ("startup_script_id", "startup_script")
_STAY: Final = "instances that ran a script are not touched when it goes"


async def update_startup_script(inquiry: Inquiry) -> Draft:
    """The script bears another name, or its text is lost to another; what ran it goes on as it is."""
    script_id, wanted = inquiry.arguments["script_id"], inquiry.arguments.get("script")
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_startup_script", {"script_id": script_id})
    script = require(found, SCRIPT, script_id)
    old = script.row.get("script")
    changed = said_when(script.row, "updated_at")
    draft = Draft(
        summary=f"Rename startup script {script.label}.",
        target=script.target(length=length(script), age=age(script.row, inquiry.now), updated=changed),
        things=[script],
        kept=["instances that ran it are not touched when it changes"],
    )
    if wanted is None or old in (wanted, ""):
        return draft
    size = f"{counted(len(wanted), 'character')}, {counted(len(wanted.splitlines()), 'line')}"
    renamed = ", and rename it" if inquiry.arguments.get("name") not in (None, script.name) else ""
    ours = await inquiry.tell_last_changes([script])
    label = script.with_facts(length(script), ours.get(script.key))
    draft.summary = f"Replace the text of startup script {label} by another ({size}){renamed}."
    draft.overwrites = True
    draft.safer = _copy_first(script_id)
    if not isinstance(old, str):
        draft.lost = ["its present text, which could not be read"]
        return draft
    lines = old.splitlines()
    gone, come = _missing_from(wanted, lines), _missing_from(old, wanted.splitlines())
    draft.lost = [f"its present text: {len(gone):,} of {counted(len(lines), 'line')}, for {len(come):,} new"]
    draft.kept.insert(0, "its old text, in the record of this server and in the result")
    draft.warnings = listed([f"Line that goes: {cite(line)}." for line in gone], most=_MOST_LINES)
    return draft


def _missing_from(text: str, lines: list[str]) -> list[str]:
    """The lines that a text has less often than these, in their order."""
    left = Counter(text.splitlines())
    missing = []
    for line in lines:
        if left[line]:
            left[line] -= 1
        else:
            missing.append(line)
    return missing


async def delete_startup_script(inquiry: Inquiry) -> Draft:
    """The script is gone for good."""
    script_id = inquiry.arguments["script_id"]
    async with inquiry.desk.side_by_side() as sheet:
        found = sheet.target("get_startup_script", {"script_id": script_id})
        instances = sheet.rows("list_instances", {}, "the instances that ran it")
    script = require(found, SCRIPT, script_id)
    using = await users(
        inquiry, instances, fields=_FIELDS, uses=lambda row: text(row, *_FIELDS) in (script.id, script.name)
    )
    return Draft(
        summary=f"Delete startup script {script.with_facts(length(script))} for good.",
        target=script.target(length=length(script), age=age(script.row, inquiry.now), instances=labels(using.found)),
        things=[script],
        lost=["its text, unless someone has a copy"],
        kept=[*using.kept, _STAY],
        warnings=using.warnings,
        safer=_copy_first(script_id),
    )


async def bulk_delete_startup_scripts(inquiry: Inquiry) -> Draft:
    """Several scripts are gone for good."""
    ids: list[str] = inquiry.arguments["script_ids"]
    if len(ids) > MOST_AT_ONCE:
        return _too_many(ids)
    async with inquiry.desk.side_by_side() as sheet:
        found = {at: sheet.target("get_startup_script", {"script_id": at}, may_miss=True) for at in ids}
    missing = [script_id for script_id, each in found.items() if not each.data]
    scripts = [Thing(SCRIPT, each.known, asked=script_id) for script_id, each in found.items()]
    draft = Draft(
        summary=f"Delete {counted(len(ids), 'startup script')} for good.",
        target={"type": "script", "count": len(ids), "scripts": labels(scripts)},
        things=scripts,
        must_type=f"delete {len(ids)}",
        lost=[f"the text of {script.with_facts(length(script))}" for script in scripts],
        kept=[_STAY],
        safer=[safe for script_id in ids[:3] for safe in _copy_first(script_id)],
    )
    if missing:
        draft.refusal = (
            f"Barrack knows no startup script {joined([mention(each) for each in missing], most=5)}. "
            "Nothing was sent; leave it out."
        )
    return draft


def _too_many(ids: list[str]) -> Draft:
    return Draft(
        summary=f"Delete {counted(len(ids), 'startup script')} for good.",
        target={"type": "script", "count": len(ids)},
        must_type=f"delete {len(ids)}",
        refusal=f"More than {MOST_AT_ONCE} scripts are more than one question names in full, and nobody can agree to "
        f"what isn't named. Nothing was sent; delete them in smaller parts, {MOST_AT_ONCE} at most at a time.",
    )


def length(script: Thing) -> str | None:
    """How much text a script holds; None if that is not told."""
    content = script.row.get("script")
    return f"{len(content):,} characters" if isinstance(content, str) else None


def _copy_first(script_id: str) -> list[Safer]:
    why = "Reading it first leaves a copy of its text."
    return [Safer(tool="get_startup_script", arguments={"script_id": script_id}, why=why)]
