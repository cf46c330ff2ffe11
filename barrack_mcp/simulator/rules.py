"""What a body must look like: each field says what it takes, and every misfit is told by the field's name."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from barrack_mcp.simulator.calls import Json, JsonValue, misfit, rule

IMAGE_NAME = re.compile(r"[A-Za-z0-9 ._-]{3,30}")
KEY_TYPES = (
    "ssh-rsa",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-dss",
)
PROTOCOLS = (
    *("any", "ah", "dccp", "egp", "esp", "gre", "icmp", "icmpv6", "igmp", "ipip", "ipv6-encap", "ipv6-frag"),
    *("ipv6-icmp", "ipv6-nonxt", "ipv6-opts", "ipv6-route", "ospf", "pgm", "rsvp", "sctp", "tcp", "udp", "udplite"),
    "vrrp",
)
PORTLESS = ("icmp", "icmpv6", "ipv6-icmp")
VOLUME_GB = (100, 1_048_576)
MAX_TEXT = 65_536

_NAME = re.compile(r"[A-Za-z0-9 ._-]+")
_KEY_NAME = re.compile(r"[A-Za-z0-9._-]+")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class MisfitError(ValueError):
    """A value that a field does not take; says why. Carries a list or an object where the field holds several."""

    def __init__(self, *told: JsonValue) -> None:
        super().__init__(*told)
        self.told = list(told)


Check = Callable[[JsonValue], JsonValue]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a body: what it takes, and whether it may be left out (null means left out)."""

    check: Check
    required: bool = True


def read(body: Json, fields: dict[str, Field]) -> Json:
    """The body's fields, checked, absent ones as None; unknown fields are ignored. Raises the 400 with every misfit."""
    values, errors = _read(body, fields)
    if errors:
        raise misfit(errors)
    return values


def _read(body: Json, fields: dict[str, Field]) -> tuple[Json, Json]:
    values: Json = {}
    errors: Json = {}
    for name, field in fields.items():
        given = values[name] = body.get(name)
        if given is None:
            if field.required:
                errors[name] = ["This field may not be null." if name in body else "This field is required."]
            continue
        try:
            values[name] = field.check(given)
        except MisfitError as no:
            errors[name] = no.told
    return values, errors


def text(
    least: int = 1, most: int = MAX_TEXT, pattern: re.Pattern[str] | None = None, allowed: str = "the allowed set"
) -> Check:
    """A string of so many characters, perhaps of a pattern."""

    def check(value: JsonValue) -> str:
        if not isinstance(value, str):
            raise MisfitError("Not a valid string.")
        if len(value) < least:
            raise MisfitError(f"Ensure this field has at least {least} character(s).")
        if len(value) > most:
            raise MisfitError(f"Ensure this field has no more than {most} characters.")
        if pattern is not None and not pattern.fullmatch(value):
            raise MisfitError(f"Only {allowed} may be used.")
        return value

    return check


def integer(least: int, most: int) -> Check:
    """A whole number in a range; `true` is none."""

    def check(value: JsonValue) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise MisfitError("A valid integer is required.")
        if not least <= value <= most:
            raise MisfitError(f"Ensure this value is between {least} and {most}.")
        return value

    return check


def choice(*values: JsonValue) -> Check:
    """One of a closed set."""

    def check(value: JsonValue) -> JsonValue:
        if isinstance(value, bool) or value not in values:
            raise MisfitError(f"Not a valid choice: it must be one of {', '.join(map(str, values))}.")
        return value

    return check


def flag(value: JsonValue) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise MisfitError("Must be a valid boolean.")
    return value


def listed(check: Check, least: int = 0) -> Check:
    """A list of which every item fits."""

    def walk(value: JsonValue) -> list[JsonValue]:
        if not isinstance(value, list):
            raise MisfitError("Expected a list of items.")
        if len(value) < least:
            raise MisfitError(f"Ensure this field has at least {least} element(s).")
        return [check(item) for item in value]

    return walk


def ids(least: int = 0) -> Check:
    """A list of ids, each counted once."""
    walk = listed(identifier, least)
    return lambda value: list(dict.fromkeys(walk(value)))


def record(fields: dict[str, Field], also: Callable[[Json], Json] | None = None) -> Check:
    """An object of fields; `also` looks at them together and returns further misfits."""

    def check(value: JsonValue) -> Json:
        if not isinstance(value, dict):
            raise MisfitError("Invalid data. Expected a dictionary.")
        values, errors = _read(value, fields)
        errors = errors or (also(values) if also else {})
        if errors:
            raise MisfitError(errors)
        return values

    return check


def utf8(most: int) -> Check:
    """A string of at most so many bytes."""
    plain = text(0, most)

    def check(value: JsonValue) -> str:
        given: str = plain(value)
        if len(given.encode("utf-8", "surrogatepass")) > most:
            raise MisfitError(f"Ensure this field has no more than {most} bytes.")
        return given

    return check


def cidr(value: JsonValue) -> str:
    """An address range such as 10.0.0.0/8 or ::/0."""
    given: str = text(1, 64)(value)
    try:
        ipaddress.ip_network(given, strict=False)
    except ValueError:
        raise MisfitError("Enter a valid CIDR, such as 10.0.0.0/8.") from None
    return given


def public_key(value: JsonValue) -> str:
    """An OpenSSH public key whose inner type is the one that it claims."""
    given: str = text(1, 16_384)(value).strip()
    if "PRIVATE KEY" in given:
        raise MisfitError("This is a private key. Send the public one.")
    kind = given.partition(" ")[0]
    if kind not in KEY_TYPES or key_blob(given)[4 : 4 + len(kind)] != kind.encode():
        raise MisfitError("Enter a valid OpenSSH public key.")
    return given


def key_blob(openssh: str) -> bytes:
    """The binary part of an OpenSSH public key; empty if it is none."""
    try:
        return base64.b64decode(openssh.split()[1], validate=True)
    except (binascii.Error, ValueError, IndexError):
        return b""


name50 = text(1, 50, _NAME, "letters, digits, spaces, '-', '_' and '.'")
key_name = text(1, 50, _KEY_NAME, "letters, digits, '-', '_' and '.'")
identifier = text(1, 64, _ID, "letters, digits, '-' and '_'")
tier = choice("legacy", "advanced")
volume_type = choice("SSD", "HDD", "NVMe")
volume_gb = integer(*VOLUME_GB)

SECURITY_RULE = {
    "direction": Field(choice("ingress", "egress")),
    "ethertype": Field(choice("IPv4", "IPv6")),
    "protocol": Field(choice(*PROTOCOLS)),
    "remote_ip_prefix": Field(cidr),
    "port_range_min": Field(integer(1, 65_535), required=False),
    "port_range_max": Field(integer(1, 65_535), required=False),
}


def rule_misfits(values: Json) -> Json:
    """What is wrong with a rule whose fields are right one by one."""
    low, high = values["port_range_min"], values["port_range_max"]
    network = ipaddress.ip_network(values["remote_ip_prefix"], strict=False)
    if values["ethertype"] != f"IPv{network.version}":
        return {"remote_ip_prefix": ["The CIDR must be of the rule's ethertype."]}
    if (low is None) != (high is None):
        return {"port_range_max" if high is None else "port_range_min": ["Give both ports or neither."]}
    if low is None:
        return {}
    if values["protocol"] in PORTLESS:
        return {"port_range_min": ["This protocol has no ports."]}
    if low > high:
        return {"port_range_min": ["The lowest port may not be above the highest."]}
    return {}


def security_rule(body: Json) -> Json:
    """The fields of a rule of a firewall or of an instance."""
    values = read(body, SECURITY_RULE)
    errors = rule_misfits(values)
    if errors:
        raise misfit(errors)
    return values


class Named(Protocol):
    """Anything with a name that is unique among its kind."""

    name: str


def need_free_name(kind: str, name: str, things: Iterable[Named]) -> None:
    """Refuse a name that another thing of the kind bears."""
    if any(thing.name == name for thing in things):
        code = f"{kind.upper().replace(' ', '_')}_NAME_EXISTS"
        raise rule(409, code, f"{kind} name already exists")
