"""What a call must be like, and how it is refused: what a field takes, told by the field's name."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from barrack_mcp.simulator.market import CURRENCIES, GPUS, REGIONS, TIERS, VOLUME_PRICES

Json = dict[str, Any]
JsonValue = Any
"""Whatever JSON can say."""

KEY_TYPES = ("ssh-rsa", "ssh-ed25519", "ssh-dss", *(f"ecdsa-sha2-nistp{bits}" for bits in (256, 384, 521)))
PROTOCOLS = (
    *("any", "ah", "dccp", "egp", "esp", "gre", "icmp", "icmpv6", "igmp", "ipip", "ipv6-encap", "ipv6-frag"),
    *("ipv6-icmp", "ipv6-nonxt", "ipv6-opts", "ipv6-route", "ospf", "pgm", "rsvp", "sctp", "tcp", "udp", "udplite"),
    "vrrp",
)
PORTLESS = ("icmp", "icmpv6", "ipv6-icmp")
MAX_NAME = 50


class RefusedError(Exception):
    """The call is answered with an error body and changes nothing."""

    def __init__(self, status: int, body: Json, **headers: str) -> None:
        super().__init__(status, body)
        self.status, self.body, self.headers = status, body, headers


def refusal(status: int, code: str, message: str, **facts: Any) -> RefusedError:
    """A business rule stands against the call: `{"success": false, "message", "code", ...}`."""
    return RefusedError(status, {"success": False, "message": message, "code": code, **facts})


def code_of(kind: str, what: str) -> str:
    """The code of a refusal that is about a kind of thing, such as `SSH_KEY_NOT_FOUND`."""
    return f"{kind.upper().replace(' ', '_')}_{what}"


def missing(kind: str) -> RefusedError:
    """The thing that the call names is not in this account."""
    return refusal(404, code_of(kind, "NOT_FOUND"), f"{kind} not found")


def detail(status: int, text: str, **headers: str) -> RefusedError:
    """The framework itself refuses: `{"detail": ...}`."""
    return RefusedError(status, {"detail": text}, **headers)


def misfit(words: str, field: str = "") -> PydanticCustomError:
    """A value does not fit; `field` names it where a whole object was looked at."""
    return PydanticCustomError("misfit", "{words}", {"words": words, "field": field})


class Body(BaseModel):
    """What a call may say: types are taken at their word, unknown fields are ignored, null means left out."""

    model_config = ConfigDict(strict=True)


Shape = TypeVar("Shape", bound=Body)


def read(shape: type[Shape], given: Json, *, texts: bool = False) -> Shape:
    """A body, or a query, whose values are all texts. Raises the 400 with every misfit: `{"field": ["..."]}`."""
    try:
        return shape.model_validate_strings(given) if texts else shape.model_validate(given)
    except ValidationError as no:
        errors: Json = {}
        for error in no.errors(include_url=False, include_input=False):
            field = error.get("ctx", {}).get("field")
            first, *inner = (*error["loc"], field) if field else error["loc"]
            told: list[JsonValue] = [error["msg"]]
            for name in reversed([each for each in inner if isinstance(each, str)]):
                told = [{name: told}]
            errors.setdefault(str(first), []).extend(told)
        raise RefusedError(400, errors) from None


def one_of(*values: JsonValue) -> AfterValidator:
    """One of a closed set."""

    def check(value: JsonValue) -> JsonValue:
        if value not in values:
            raise misfit(f"Not a valid choice: it must be one of {', '.join(map(str, values))}.")
        return value

    return AfterValidator(check)


def _cidr(value: str) -> str:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise misfit("Enter a valid CIDR, such as 10.0.0.0/8.") from None
    return value


def _public_key(value: str) -> str:
    given = value.strip()
    if "PRIVATE KEY" in given:
        raise misfit("This is a private key. Send the public one.")
    kind = given.partition(" ")[0]
    if kind not in KEY_TYPES or key_blob(given)[4 : 4 + len(kind)] != kind.encode():
        raise misfit("Enter a valid OpenSSH public key.")
    return given


def key_blob(openssh: str) -> bytes:
    """The binary part of an OpenSSH public key; empty if it is none."""
    try:
        return base64.b64decode(openssh.split()[1], validate=True)
    except (binascii.Error, ValueError, IndexError):
        return b""


Tier = Annotated[str, one_of(*TIERS)]
Currency = Annotated[str, one_of(*CURRENCIES)]
Region = Annotated[str, one_of(*REGIONS)]
GpuModel = Annotated[str, one_of(*GPUS)]
GpuCount = Annotated[int, one_of(1, 2, 4, 8)]
VolumeType = Annotated[str, one_of(*VOLUME_PRICES)]
VolumeSize = Annotated[int, Field(ge=100, le=1_048_576)]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Ids = Annotated[list[Id], AfterValidator(lambda ids: list(dict.fromkeys(ids)))]
SomeIds = Annotated[Ids, Field(min_length=1)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME, pattern=r"^[A-Za-z0-9 ._-]+$")]
KeyName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME, pattern=r"^[A-Za-z0-9._-]+$")]
ImageName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=65_536)]
PublicKey = Annotated[str, StringConstraints(min_length=1, max_length=16_384), AfterValidator(_public_key)]
Port = Annotated[int, Field(ge=1, le=65_535)]


class SecurityRule(Body):
    """A rule of a firewall or of an instance."""

    direction: Annotated[str, one_of("ingress", "egress")]
    ethertype: Annotated[str, one_of("IPv4", "IPv6")]
    protocol: Annotated[str, one_of(*PROTOCOLS)]
    remote_ip_prefix: Annotated[str, StringConstraints(max_length=64), AfterValidator(_cidr)]
    port_range_min: Port | None = None
    port_range_max: Port | None = None

    @model_validator(mode="after")
    def _check_together(self) -> SecurityRule:
        low, high = self.port_range_min, self.port_range_max
        if self.ethertype != f"IPv{ipaddress.ip_network(self.remote_ip_prefix, strict=False).version}":
            raise misfit("The CIDR must be of the rule's ethertype.", "remote_ip_prefix")
        if (low is None) != (high is None):
            raise misfit("Give both ports or neither.", "port_range_max" if high is None else "port_range_min")
        if low is not None and self.protocol in PORTLESS:
            raise misfit("This protocol has no ports.", "port_range_min")
        if low is not None and high is not None and low > high:
            raise misfit("The lowest port may not be above the highest.", "port_range_min")
        return self
