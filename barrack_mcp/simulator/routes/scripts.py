"""Startup scripts."""

from __future__ import annotations

from barrack_mcp.simulator.calls import Call, pick, route
from barrack_mcp.simulator.clock import iso
from barrack_mcp.simulator.rules import Body, Json, Name, RefusedError, SomeIds, Text
from barrack_mcp.simulator.world import Script


class _NewScript(Body):
    name: Name
    script: Text


class _Update(Body):
    name: Name | None = None
    script: Text | None = None


class _Several(Body):
    script_ids: SomeIds


def show_script(script: Script) -> Json:
    """A script as the API shows it."""
    times = {"created_at": iso(script.created_at), "updated_at": iso(script.updated_at)}
    return pick(script, "id", "name", "script") | times


@route("GET", "/scripts/")
def list_startup_scripts(call: Call) -> Json:
    """The scripts, oldest first."""
    return call.page("scripts", list(call.world.scripts.values()), show_script)


@route("GET", "/scripts/{script_id}/")
def get_startup_script(call: Call) -> Json:
    """One script."""
    return {"script": show_script(call.find(call.world.scripts))}


@route("POST", "/scripts/", status=201)
def create_startup_script(call: Call) -> Json:
    """Keeps a script."""
    scripts, wanted = call.world.scripts, call.read(_NewScript)
    scripts.need_free(wanted.name)
    script = call.world.put(scripts, Script(name=wanted.name, script=wanted.script, updated_at=call.world.now))
    return {"message": "Startup script created", "script": show_script(script)}


@route("PUT", "/scripts/{script_id}/")
def update_startup_script(call: Call) -> Json:
    """Changes what is given of a script; machines that ran it are not touched."""
    script, wanted = call.find(call.world.scripts), call.read(_Update)
    if wanted.name is None and wanted.script is None:
        raise RefusedError(400, {"non_field_errors": ["Give name, script or both."]})
    if wanted.name is not None:
        call.world.scripts.need_free(wanted.name, but=script)
    before = script.name, script.script
    script.name, script.script = wanted.name or script.name, wanted.script or script.script
    call.changed = before != (script.name, script.script)
    script.updated_at = call.world.now if call.changed else script.updated_at
    return {"message": "Startup script updated", "script": show_script(script)}


@route("DELETE", "/scripts/{script_id}/")
def delete_startup_script(call: Call) -> Json:
    """Deletes a script, for good."""
    script = call.find(call.world.scripts)
    del call.world.scripts[script.id]
    return {"message": "Startup script deleted", "script_id": script.id}


@route("POST", "/scripts/bulk-delete/")
def bulk_delete_startup_scripts(call: Call) -> Json:
    """Deletes those of the scripts that exist, and says which did not."""
    wanted = call.read(_Several).script_ids
    deleted = [script_id for script_id in wanted if call.world.scripts.pop(script_id, None)]
    call.changed = bool(deleted)
    return {
        "message": f"{len(deleted)} startup script(s) deleted",
        "deleted_count": len(deleted),
        "deleted_ids": deleted,
        "failed": [{"id": each, "error": "Script not found"} for each in wanted if each not in deleted],
    }
