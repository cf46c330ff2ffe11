"""Startup scripts: what a new instance runs at its first boot."""

from functools import partial
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, model_validator

from barrack_mcp.catalogue.envelope import Named, Paged, Receipt
from barrack_mcp.catalogue.kinds import SCRIPT
from barrack_mcp.catalogue.models import Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Confidence, Endpoint, Operation, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.signs import AllGone, Gone, Look, Made, Shows
from barrack_mcp.catalogue.values import Id, Ids, Name, ScriptText, Text, Texts, Whole, WholeText, bare, keyed

GROUP: Final = "Scripts"

declare = partial(Operation, group=GROUP, toolset=Toolset.SCRIPTS)


class ScriptPath(Request):
    """Which startup script."""

    script_id: Id = required("Id or name.")


class CreateScriptRequest(Request):
    """A new startup script."""

    name: Name = required("1-50 letters, digits, space -_.")
    script: ScriptText = required("Its text.", secret=True)


class UpdateScriptRequest(Request):
    """What to change of a startup script."""

    name: Name | None = optional("New name.")
    script: ScriptText | None = optional("New text.", secret=True, blank_counts=True)

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.name is None and self.script is None:
            raise ValueError("script: is needed, or name, or both")
        return self


class BulkDeleteRequest(Request):
    """Which startup scripts to delete."""

    script_ids: Ids = required("Ids or names.")


class Script(Response):
    """A startup script as the API shows it."""

    id: Text = answered("Script id.", "script_id")
    name: Text = answered("Name.", "script_name")
    script: WholeText = answered("The text.", "content")
    created_at: Text = answered("When it was created, ISO 8601.")
    updated_at: Text = answered("When it was last changed, ISO 8601.")


class ScriptListResponse(Paged):
    """A page of startup scripts."""

    scripts: list[Script] | None = answered("The scripts of this page.", "startup_scripts")


class ScriptReceipt(Receipt):
    """One startup script."""

    script: Script | None = answered("The script.", "startup_script")


class ScriptDetailResponse(ScriptReceipt):
    """One startup script, with its text."""


class ScriptCreateResponse(ScriptReceipt):
    """The script that was created."""


class ScriptUpdateResponse(ScriptReceipt):
    """The script as it is now."""


class Overwritten(Response):
    """What we add: what was there before."""

    replaced: WholeText = answered("The text that was overwritten.")


class ScriptDeleteResponse(Receipt):
    """The script is gone."""

    script_id: Text = answered("Id of the deleted script.")


def _failures(value: Any) -> Any:
    """Read a bare number as that many failures of which nothing else is known."""
    if isinstance(value, int):
        return [{"count": value}] if value else []
    return value


class BulkDeleteFailure(Response):
    """A script that was not deleted."""

    script_id: Text = answered("Script id.", "id")
    reason: Text = answered("Why not.", "error", "message")


class BulkDeleteResponse(Receipt):
    """Which scripts are gone, and which are not."""

    deleted_count: Whole = answered("How many were deleted.")
    deleted_ids: Texts = answered("Those that were deleted.", "deleted")
    failed: Annotated[
        list[Annotated[BulkDeleteFailure, bare("script_id")]] | None,
        keyed("script_id", "reason"),
        BeforeValidator(_failures),
    ] = answered("Those that were not.", "failed_ids", "errors")


OPERATIONS = (
    declare(
        tool="list_startup_scripts",
        title="List all startup scripts",
        risk=Risk.READ,
        description="Startup scripts with their whole texts. One: get_startup_script.",
        endpoint=Endpoint("GET", "/scripts/", Confidence(97, 75)),
        alternates=elsewhere("GET", "/startup-scripts/"),
        ours=Named,
        paged=True,
        response=ScriptListResponse,
        result="scripts",
    ),
    declare(
        tool="create_startup_script",
        title="Create a startup script",
        risk=Risk.CHANGE,
        description="Save a script that deploy_instance can run at first boot. Runs nothing now.",
        endpoint=Endpoint("POST", "/scripts/", Confidence(97, 75)),
        request=CreateScriptRequest,
        response=ScriptCreateResponse,
        result="script",
        look=Look("list_startup_scripts"),
        sign=Made(SCRIPT, texts=("script",)),
    ),
    declare(
        tool="get_startup_script",
        title="Get startup script details",
        risk=Risk.READ,
        description="One startup script with its whole text. Ids: list_startup_scripts.",
        endpoint=Endpoint("GET", "/scripts/{script_id}/", Confidence(97, 75)),
        place=ScriptPath,
        response=ScriptDetailResponse,
        result="script",
    ),
    declare(
        tool="update_startup_script",
        title="Update a startup script",
        risk=Risk.CHANGE,
        description="Rename a startup script, or replace its text; that asks a person.",
        endpoint=Endpoint("PUT", "/scripts/{script_id}/", Confidence(75, 75)),
        alternates=elsewhere("PATCH", "/scripts/{script_id}/"),
        place=ScriptPath,
        request=UpdateScriptRequest,
        response=ScriptUpdateResponse,
        adds=Overwritten,
        result="script",
        sets_state=True,
        replaces="script",
        look=Look("get_startup_script", ("script_id",)),
        sign=Shows({"name": "name", "script": "script"}),
    ),
    declare(
        tool="delete_startup_script",
        title="Delete a startup script",
        risk=Risk.DESTROY,
        description="Delete a startup script for good. Several: bulk_delete_startup_scripts.",
        endpoint=Endpoint("DELETE", "/scripts/{script_id}/", Confidence(95, 70)),
        place=ScriptPath,
        response=ScriptDeleteResponse,
        look=Look("get_startup_script", ("script_id",)),
        sign=Gone(),
    ),
    declare(
        tool="bulk_delete_startup_scripts",
        title="Delete multiple startup scripts",
        risk=Risk.DESTROY,
        description="Delete several startup scripts for good; their instances stay.",
        endpoint=Endpoint("POST", "/scripts/bulk-delete/", Confidence(50, 55)),
        alternates=elsewhere("DELETE", "/scripts/bulk-delete/", "/scripts/"),
        request=BulkDeleteRequest,
        response=BulkDeleteResponse,
        look=Look("list_startup_scripts"),
        sign=AllGone(SCRIPT, "script_ids"),
    ),
)
