"""What an operator can set: one field a setting, with what it is for; what is derived from them stands here, too."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Final, Self

from platformdirs import user_cache_path, user_state_path
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, model_validator

from barrack_mcp.api.http.network import Network
from barrack_mcp.catalogue import Offer
from barrack_mcp.config import forms
from barrack_mcp.state.audit.place import file_at

_SIMULATOR_KEY: Final = "sim-key"


class SettingsError(Exception):
    """A setting is wrong; the text says which, why and what to do, and never holds its value."""


class Settings(BaseModel):
    """Everything an operator can set. Frozen: a process keeps the surface it started with."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    api_key: SecretStr | None = Field(None, description="The API key. Never an argument, never in the TOML file.")
    api_key_file: forms.OwnPath | None = Field(
        None, description="A file that holds the key, readable by its owner only."
    )
    api_url: forms.ApiUrl = Field("https://barrack.ai/api", description="Where the API is: https, or this machine.")
    auth_header: forms.HeaderName = Field("Authorization", description="Name of the header that carries the key.")
    auth_template: forms.Template = Field("Bearer {key}", description="Value of that header.")
    contract: forms.OwnPath | None = Field(
        None, description="A TOML file that says where the API differs from what we ship; `contract` shows the result."
    )
    openapi: forms.Source | None = Field(
        None,
        description="The API's own OpenAPI document, a file or an address; followed where an operation bears our id, "
        "title and group, or path; the rest waits for `contract adopt`.",
    )
    simulator: forms.Switch = Field(default=False, description="The embedded simulator instead of the network.")
    toolsets: forms.Toolsets = Field(("all",), description="Groups of tools to offer: all, core, or names of toolsets.")
    tools: forms.Tools = Field((), description="Single tools to offer; without toolsets, these alone.")
    read_only: forms.Switch = Field(default=False, description="Offer and run nothing but reads.")
    unattended: forms.AskingRisks = Field(
        (), description="Risks that run without a person's yes: change, spend, interrupt, expose, destroy."
    )
    approval: forms.Approval = Field(
        "auto",
        description="How a person's yes is got: auto (through the client if it can ask, else out of band), elicit, "
        "out-of-band or refuse.",
    )
    protect: forms.Globs = Field(
        (),
        description="Globs of names and ids, such as prod-*, that nothing may interrupt or destroy.",
    )
    max_hourly_cost: forms.Amount | None = Field(
        None, description="What all that runs may cost per hour after a call; no approval passes it."
    )
    min_runway_hours: forms.Amount | None = Field(
        None, description="How many hours the credit has to last after a call; no approval passes it."
    )
    max_monthly_cost: forms.Amount | None = Field(
        None,
        description="What a month (UTC) may come to: what was spent in it, and what runs to its end; no approval "
        "passes it.",
    )
    max_machine_cost: forms.Amount | None = Field(
        None,
        description="What one machine may cost over its lease; a purchase without a lease is refused, and no approval "
        "passes it.",
    )
    default_lease_hours: forms.LeaseHours | None = Field(
        None, description="The lease of a machine that is deployed or restored without one, in hours."
    )
    currency: forms.Currency = Field("USD", description="Currency of the rates shown.")
    timeout: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = Field(
        30.0, description="Seconds for one call to the API in all."
    )
    elicit_timeout: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = Field(
        120.0, description="Seconds for an answer to a question through the client."
    )
    approval_ttl: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = Field(
        600.0, description="Seconds until a request for approval, and a yes to it, lapses."
    )
    approval_passphrase_hash: forms.PassphraseHash | None = Field(
        None,
        description="Hash of a passphrase, made by `barrack-mcp approvals --new-passphrase`; approving at a terminal "
        "and signing in to the page then want the passphrase.",
    )
    page_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        0, description="Port of the approval page on this machine; 0 is any free one."
    )
    browser: forms.Switch = Field(
        default=False, description="Open the approval page in a browser; by default where there is a screen."
    )
    webhook_url: forms.WebhookUrl | None = Field(
        None, description="Where requests for approval are posted and how they end, as a chat's incoming webhook."
    )
    webhook_form: forms.WebhookForm | None = Field(
        None, description="Form of what is posted there: slack (blocks) or json; slack by default for Slack's hosts."
    )
    webhook_secret: forms.WebhookSecret | None = Field(
        None, description="Signs what is posted there (HMAC-SHA256); 32 characters or more."
    )
    state: forms.StatePlace | None = Field(
        None,
        description="The SQLite file for approvals and used answers; by default in the user's state folder. Or a Redis "
        "that many servers share, redis://… or rediss://…; that needs `barrack-mcp[redis]` and state keys.",
    )
    state_keys: forms.SealingKeys = Field(
        (), description="Keys of 32 characters or more that seal questions, newest first; by default made once."
    )

    audit: forms.AuditPath | None = Field(
        None,
        description="The record of what was done, JSONL; by default beside the state. A folder is shared by several "
        "servers, with a file for each host. off only with read-only.",
    )
    log_format: forms.LogFormat = Field(
        "text", description="How the log is written to stderr: text for people, or json, one object a line."
    )
    metrics_by_caller: forms.Switch = Field(
        default=False, description="Let /metrics tell calls apart by their caller's name, too; it tells no names else."
    )
    reveal_private_keys: forms.Switch = Field(
        default=False, description="Over HTTP, let a generated private key stand in the result."
    )

    http_tokens_file: forms.OwnPath | None = Field(
        None, description="Who may call over HTTP: the file that `barrack-mcp callers` keeps."
    )
    oidc_issuer: forms.IssuerUrl | None = Field(
        None, description="The identity provider whose tokens let callers in over HTTP: its issuer, https."
    )
    oidc_audience: str | None = Field(
        None, description="What those tokens must name as their audience; never a client that people sign in to."
    )
    oidc_client_id: str | None = Field(
        None,
        description="What the identity provider knows the approval page by: a client (code with PKCE) that leads back "
        "to BARRACK_PUBLIC_URL/approvals/callback.",
    )
    oidc_client_secret: SecretStr | None = Field(
        None, description="That client's secret, for providers that have no public clients for web pages."
    )
    keys_from_callers: forms.Switch = Field(
        default=False, description="Let a caller send an API key of their own, in X-Barrack-Api-Key."
    )
    keys_file: forms.OwnPath | None = Field(
        None, description="API keys of callers who have one of their own, TOML: NAME = key; others use the server's."
    )
    allowed_hosts: forms.HostNames = Field(
        (), description="Names under which this server is reached over HTTP, beside this machine's own."
    )
    public_url: forms.PublicUrl | None = Field(
        None, description="The https address by which callers know this server: a proxy with TLS stands before it."
    )
    approvers: forms.ApproverNames = Field(
        (),
        description="Who may say yes over HTTP beside the approvers in the callers' file: names of callers, subjects, "
        "or group:NAME.",
    )
    four_eyes: forms.Switch = Field(
        default=True,
        description="Over HTTP with a login nobody says yes to what they ask for: not on the page, and not through "
        "their own client.",
    )

    proxy: forms.Proxy | None = Field(
        None,
        description="The proxy on the way to the API, http://… or https://…; off for none. By default HTTPS_PROXY and "
        "NO_PROXY say it, as everywhere; this machine is never reached through one.",
    )
    ca_file: forms.OwnPath | None = Field(
        None,
        description="Certificates (PEM) to trust beside the system's, such as that of your organisation; SSL_CERT_FILE "
        "and SSL_CERT_DIR count, too.",
    )
    _around: Network = PrivateAttr(default_factory=Network)
    """What the environment says of proxies and certificates."""

    @model_validator(mode="after")
    def _recorded(self) -> Self:
        if self.audit == "off" and not self.read_only:
            raise ValueError("BARRACK_AUDIT can be off only with BARRACK_READ_ONLY: what is changed is written down")
        return self

    @model_validator(mode="after")
    def _shared_keys(self) -> Self:
        if isinstance(self.state, SecretStr) and not self.state_keys:
            raise ValueError(
                "BARRACK_STATE is a Redis that servers share, so BARRACK_STATE_KEYS must be set: the same for each of "
                "them, and kept elsewhere"
            )
        return self

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.api_key is not None and self.api_key_file is not None:
            raise ValueError("BARRACK_API_KEY and BARRACK_API_KEY_FILE are both set; keep one of them")
        return self

    @property
    def has_login(self) -> bool:
        """Whether anything says who may call over HTTP."""
        return self.http_tokens_file is not None or self.oidc_issuer is not None

    def offers(self, offer: Offer) -> bool:
        """Whether the chosen surface lists this tool."""
        if self.read_only and not offer.reads:
            return False
        if offer.tool in self.tools:
            return True
        if self.tools and "toolsets" not in self.model_fields_set:
            return False
        return offer.is_in(self.toolsets)

    def within(self, around: Network) -> Self:
        """These settings, where the environment says so much of proxies and certificates."""
        placed = self.model_copy()
        placed._around = around  # noqa: SLF001 - it is one of us
        return placed

    @property
    def network(self) -> Network:
        """How connections leave this machine."""
        return self._around.by_settings(proxy=self.proxy, ca_file=self.ca_file)

    @property
    def state_folder(self) -> Path:
        """Where files are kept: the user's state folder; where the user has no home, a folder for passing files."""
        if isinstance(self.state, Path):
            return self.state.parent
        try:
            # what is not real is kept apart: its requests and its record would pass for those of the account
            return user_state_path("barrack-mcp") / ("simulator" if self.simulator else "")
        except RuntimeError:
            return Path(tempfile.gettempdir(), f"barrack-mcp-{_user()}", "simulator" if self.simulator else "")

    @property
    def cache_folder(self) -> Path:
        """Where what can be read again is kept: beside the state, where the operator says where that is."""
        if isinstance(self.state, Path):
            return self.state.parent / "cache"
        try:
            return user_cache_path("barrack-mcp")
        except RuntimeError:
            return self.state_folder / "cache"

    @property
    def state_file(self) -> Path:
        """Where approvals and used answers are kept on this machine, unless that is in a Redis."""
        return self.state if isinstance(self.state, Path) else self.state_folder / "state.db"

    @property
    def state_place(self) -> Path | SecretStr:
        """Where approvals and used answers are kept: a file, or the address of a Redis."""
        return self.state if isinstance(self.state, SecretStr) else self.state_file

    @property
    def audit_place(self) -> Path | None:
        """Where records are kept, a file or a folder; None if there are none."""
        if self.audit == "off":
            return None
        return self.state_folder / "audit.jsonl" if self.audit is None else self.audit

    @property
    def audit_file(self) -> Path | None:
        """Where this host's record is kept; None if there is none."""
        return None if self.audit_place is None else file_at(self.audit_place)

    @property
    def sealing_keys(self) -> tuple[str, ...]:
        """The operator's own keys for sealing questions."""
        return tuple(key.get_secret_value() for key in self.state_keys)

    @property
    def key(self) -> SecretStr | None:
        """The key to send; the simulator has its own."""
        return SecretStr(_SIMULATOR_KEY) if self.simulator else self.api_key


def default_key_file(home: Path) -> Path:
    """Where `barrack-mcp key` keeps a key, and where clients look that can't take one from their environment."""
    return home / ".config" / "barrack-mcp" / "api-key"


def _user() -> int | str:
    return os.getuid() if hasattr(os, "getuid") else "user"
