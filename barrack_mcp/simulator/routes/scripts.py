"""Startup scripts."""

from __future__ import annotations

from barrack_mcp.simulator.calls import Call, Json, Route, misfit, missing, paged
from barrack_mcp.simulator.clock import iso
from barrack_mcp.simulator.rules import Field, ids, name50, need_free_name, read, text
from barrack_mcp.simulator.world import Script

_CREATE = {"name": Field(name50), "script": Field(text())}
_UPDATE = {"name": Field(name50, required=False), "script": Field(text(), required=False)}
_IDS = {"script_ids": Field(ids(least=1))}


def shown(script: Script) -> Json:
    """A script as the API shows it."""
    return {
        "id": script.id,
        "name": script.name,
        "script": script.script,
        "created_at": iso(script.created_at),
        "updated_at": iso(script.updated_at),
    }


def _find(call: Call) -> Script:
    script = call.world.scripts.get(call.ids["script_id"])
    if script is None:
        raise missing("Script")
    return script


def list_startup_scripts(call: Call) -> Json:
    """The scripts, oldest first."""
    return paged(call, "scripts", list(call.world.scripts.values()), shown)


def get_startup_script(call: Call) -> Json:
    """One script."""
    return {"script": shown(_find(call))}


def create_startup_script(call: Call) -> Json:
    """Keeps a script."""
    world, wanted = call.world, read(call.body, _CREATE)
    need_free_name("Script", wanted["name"], world.scripts.values())
    script = Script(world.next_id("SCR-{}"), wanted["name"], wanted["script"], call.now, call.now)
    world.scripts[script.id] = script
    return {"message": "Startup script created", "script": shown(script)}


def update_startup_script(call: Call) -> Json:
    """Changes what is given of a script; machines that ran it are not touched."""
    script, wanted = _find(call), read(call.body, _UPDATE)
    changes = {name: value for name, value in wanted.items() if value is not None}
    if not changes:
        raise misfit({"non_field_errors": ["Give name, script or both."]})
    others = (each for each in call.world.scripts.values() if each is not script)
    need_free_name("Script", changes.get("name", ""), others)
    call.changed = any(getattr(script, name) != value for name, value in changes.items())
    for name, value in changes.items():
        setattr(script, name, value)
    script.updated_at = call.now if call.changed else script.updated_at
    return {"message": "Startup script updated", "script": shown(script)}


def delete_startup_script(call: Call) -> Json:
    """Deletes a script, for good."""
    script = _find(call)
    del call.world.scripts[script.id]
    return {"message": "Startup script deleted", "script_id": script.id}


def bulk_delete_startup_scripts(call: Call) -> Json:
    """Deletes those of the scripts that exist, and says which did not."""
    deleted, failed = [], []
    for script_id in read(call.body, _IDS)["script_ids"]:
        if call.world.scripts.pop(script_id, None) is None:
            failed.append({"id": script_id, "error": "Script not found"})
        else:
            deleted.append(script_id)
    call.changed = bool(deleted)
    return {
        "message": f"{len(deleted)} startup script(s) deleted",
        "deleted_count": len(deleted),
        "deleted_ids": deleted,
        "failed": failed,
    }


ROUTES = (
    Route("list_startup_scripts", "GET", "/scripts/", list_startup_scripts),
    Route("create_startup_script", "POST", "/scripts/", create_startup_script, writes=True, status=201),
    Route("get_startup_script", "GET", "/scripts/{script_id}/", get_startup_script),
    Route("update_startup_script", "PUT", "/scripts/{script_id}/", update_startup_script, writes=True),
    Route("delete_startup_script", "DELETE", "/scripts/{script_id}/", delete_startup_script, writes=True),
    Route("bulk_delete_startup_scripts", "POST", "/scripts/bulk-delete/", bulk_delete_startup_scripts, writes=True),
)
