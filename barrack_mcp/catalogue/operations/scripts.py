"""Startup scripts: what a new instance runs at its first boot."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, model_validator

from barrack_mcp.catalogue.envelope import Paged, Receipt
from barrack_mcp.catalogue.models import Request, Response, answered, optional, required
from barrack_mcp.catalogue.operation import Confidence, Look, Operation, Retry, Risk, Toolset, elsewhere
from barrack_mcp.catalogue.values import Id, Ids, Name, Text, Texts, Whole, WholeText, bare, keyed

GROUP = "Scripts"


class ScriptPath(Request):
    """Which startup script."""

    script_id: Id = required("Id or name.")


class CreateScriptRequest(Request):
    """A new startup script."""

    name: Name = required("1-50 letters, digits, space, - _ .")
    script: str = required("Its text.", secret=True)


class UpdateScriptRequest(Request):
    """What to change of a startup script."""

    name: Name | None = optional("New name.")
    script: str | None = optional("New text.", secret=True)

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


class ScriptDeleteResponse(Receipt):
    """The script is gone."""


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
    Operation(
        tool="list_startup_scripts",
        title="List all startup scripts",
        group=GROUP,
        toolset=Toolset.SCRIPTS,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="Startup scripts with ids and names. One with its text: get_startup_script.",
        method="GET",
        path="/scripts/",
        confidence=Confidence(method=97, path=65),
        alternates=elsewhere("GET", "/startup-scripts/"),
        paged=True,
        response=ScriptListResponse,
        result="scripts",
        idempotent=True,
    ),
    Operation(
        tool="create_startup_script",
        title="Create a startup script",
        group=GROUP,
        toolset=Toolset.SCRIPTS,
        risk=Risk.CHANGE,
        retry=Retry.UNSENT,
        description="Save a script that deploy_instance can run on a new instance. Runs nothing now.",
        method="POST",
        path="/scripts/",
        confidence=Confidence(method=97, path=65),
        request=CreateScriptRequest,
        response=ScriptCreateResponse,
        result="script",
        look=Look("list_startup_scripts"),
    ),
    Operation(
        tool="get_startup_script",
        title="Get startup script details",
        group=GROUP,
        toolset=Toolset.SCRIPTS,
        risk=Risk.READ,
        retry=Retry.SAFE,
        description="One startup script with its whole text. Ids: list_startup_scripts.",
        method="GET",
        path="/scripts/{script_id}/",
        confidence=Confidence(method=97, path=65),
        place=ScriptPath,
        response=ScriptDetailResponse,
        result="script",
        idempotent=True,
    ),
    Operation(
        tool="update_startup_script",
        title="Update a startup script",
        group=GROUP,
        toolset=Toolset.SCRIPTS,
        risk=Risk.CHANGE,
        retry=Retry.UNSENT,
        description="Rename a startup script or replace its text; the old is lost.",
        method="PUT",
        path="/scripts/{script_id}/",
        confidence=Confidence(method=75, path=65),
        alternates=elsewhere("PATCH", "/scripts/{script_id}/"),
        place=ScriptPath,
        request=UpdateScriptRequest,
        response=ScriptUpdateResponse,
        result="script",
        idempotent=True,
        look=Look("get_startup_script", ("script_id",)),
    ),
    Operation(
        tool="delete_startup_script",
        title="Delete a startup script",
        group=GROUP,
        toolset=Toolset.SCRIPTS,
        risk=Risk.DESTROY,
        retry=Retry.UNSENT,
        description="Delete a startup script for good; its instances stay. Several: bulk_delete_startup_scripts.",
        method="DELETE",
        path="/scripts/{script_id}/",
        confidence=Confidence(method=95, path=60),
        place=ScriptPath,
        response=ScriptDeleteResponse,
        idempotent=True,
        look=Look("get_startup_script", ("script_id",)),
    ),
    Operation(
        tool="bulk_delete_startup_scripts",
        title="Delete multiple startup scripts",
        group=GROUP,
        toolset=Toolset.SCRIPTS,
        risk=Risk.DESTROY,
        retry=Retry.UNSENT,
        description="Delete several startup scripts for good at once; their instances stay.",
        method="POST",
        path="/scripts/bulk-delete/",
        confidence=Confidence(method=50, path=45),
        alternates=elsewhere("DELETE", "/scripts/bulk-delete/", "/scripts/"),
        request=BulkDeleteRequest,
        response=BulkDeleteResponse,
        idempotent=True,
        look=Look("list_startup_scripts"),
    ),
)
