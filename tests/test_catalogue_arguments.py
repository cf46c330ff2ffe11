"""What a caller may say: what the rules allow passes unchanged; all else is refused by its name, never its value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, RESERVED_IDS, JsonObject, Operation, arguments_schema

INPUTS = {operation.tool: arguments_schema(operation.arguments) for operation in OPERATIONS}
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF7sDcQZqoM3v3JfAm/anHjByxxkLur/nW4REvN3g+lC someone"
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.tool))


RULE: JsonObject = {
    "instance_id": "BRK-123456D",
    "direction": "ingress",
    "ethertype": "IPv4",
    "protocol": "tcp",
    "remote_ip_prefix": "203.0.113.0/24",
    "port_range_min": 22,
    "port_range_max": 22,
}
SECURITY_RULE = {name: value for name, value in RULE.items() if name != "instance_id"}
DEPLOYMENT: JsonObject = {
    "name": "train-1",
    "tier": "legacy",
    "region": "NORWAY-1",
    "gpu_model": "RTX-A6000",
    "gpu_count": 1,
    "boot_source": "os_image",
    "os_image": "Ubuntu 24.04",
    "ssh_key_ids": ["key-1"],
}
VOLUME: JsonObject = {
    "name": "data-1",
    "size_gb": 100,
    "region": "NORWAY-1",
    "tier": "legacy",
    "volume_type": "SSD",
}
GOOD: dict[str, JsonObject] = {
    "add_instance_security_rule": RULE,
    "add_firewall_rule": SECURITY_RULE | {"firewall_id": "fw-1"},
    "deploy_instance": DEPLOYMENT,
    "create_volume": VOLUME,
    "resize_volume": {"volume_id": "BRK-123456V", "size_gb": 1_048_576},
    "create_custom_image": {"snapshot_id": "BRK-123456S", "name": "abc"},
    "create_snapshot": {"instance_id": "BRK-123456D", "name": "nightly 1.0_a-b"},
    "create_ssh_key": {"name": "laptop", "public_key": PUBLIC_KEY},
    "create_firewall": {"name": "web", "region": "NORWAY-1", "description": "x" * 255},
    "attach_firewall": {"firewall_id": "fw-1", "instance_ids": []},
    "attach_volumes": {"instance_id": "BRK-123456D", "volume_ids": ["a", "b"]},
    "update_startup_script": {"script_id": "s1", "name": "new"},
    "list_instances": {"status": "SOMETHING_NEW", "page": 1, "limit": 100},
    "get_instance": {"instance_id": "A" * 64},
    "quote_price": {},
}

LEFT_OUT = object()


def call(tool: str, **changes: Any) -> JsonObject:
    arguments = {name: value for name, value in (GOOD[tool] | changes).items() if value is not LEFT_OUT}
    return BY_TOOL[tool].arguments.model_validate(arguments).model_dump(mode="json", exclude_none=True)


@pytest.mark.parametrize("tool", GOOD)
def test_good_arguments_pass_as_they_are(tool: str) -> None:
    assert call(tool) == GOOD[tool]


@pytest.mark.parametrize(
    ("tool", "changes"),
    [
        ("add_instance_security_rule", {"port_range_min": 1, "port_range_max": 65_535}),
        ("add_instance_security_rule", {"port_range_min": LEFT_OUT, "port_range_max": LEFT_OUT}),
        (
            "add_instance_security_rule",
            {"protocol": "icmp", "port_range_min": LEFT_OUT, "port_range_max": LEFT_OUT},
        ),
        ("add_instance_security_rule", {"protocol": "sctp"}),
        ("add_firewall_rule", {"ethertype": "IPv6", "remote_ip_prefix": "2001:db8::/32"}),
        ("deploy_instance", {"boot_source": "volume", "os_image": LEFT_OUT, "volume_id": "BRK-123456V"}),
        ("deploy_instance", {"boot_source": "custom_image", "os_image": LEFT_OUT, "image_id": "img-1"}),
        ("deploy_instance", {"gpu_model": "A-MODEL-OF-NEXT-YEAR", "gpu_count": 8}),
        ("deploy_instance", {"security_rules": [SECURITY_RULE], "os_volume": {"name": "os", "size_gb": 100}}),
        ("deploy_instance", {"cloud_init": "é" * 8_192, "jupyter_password": "12345678", "public_ip": False}),
        ("create_volume", {"bootable": True, "os_image": "Ubuntu 24.04"}),
        ("create_volume", {"bootable": False}),
        ("create_custom_image", {"name": "x" * 30}),
        ("create_ssh_key", {"public_key": LEFT_OUT}),
        ("update_startup_script", {"name": LEFT_OUT, "script": "#!/bin/sh"}),
    ],
)
def test_what_the_rules_allow_passes(tool: str, changes: JsonObject) -> None:
    passed = call(tool, **changes)
    assert {name: passed.get(name, LEFT_OUT) for name in changes} == changes


BAD: list[tuple[str, JsonObject, str]] = [
    ("add_instance_security_rule", {"port_range_max": LEFT_OUT}, "port_range_max"),
    ("add_instance_security_rule", {"port_range_min": LEFT_OUT}, "port_range_min"),
    ("add_instance_security_rule", {"port_range_min": 4711}, "port_range_max"),
    ("add_instance_security_rule", {"port_range_min": 0}, "port_range_min"),
    ("add_instance_security_rule", {"port_range_max": 65_536}, "port_range_max"),
    ("add_instance_security_rule", {"protocol": "icmp"}, "port_range_min"),
    ("add_instance_security_rule", {"protocol": "ICMP", "port_range_min": LEFT_OUT}, "port_range_max"),
    ("add_firewall_rule", {"protocol": "icmpv6"}, "port_range_min"),
    ("add_firewall_rule", {"protocol": "ipv6-icmp"}, "port_range_min"),
    ("add_firewall_rule", {"ethertype": "IPv6"}, "remote_ip_prefix"),
    ("add_firewall_rule", {"remote_ip_prefix": "2001:db8::/32"}, "remote_ip_prefix"),
    ("add_firewall_rule", {"remote_ip_prefix": "198.51.100.0"}, "remote_ip_prefix"),
    ("add_firewall_rule", {"remote_ip_prefix": "198.51.100.0/33"}, "remote_ip_prefix"),
    ("add_firewall_rule", {"remote_ip_prefix": "0.0.0.0/08"}, "remote_ip_prefix"),
    ("add_firewall_rule", {"remote_ip_prefix": "0.0.0.0/008"}, "remote_ip_prefix"),
    ("add_firewall_rule", {"remote_ip_prefix": "010.0.0.0/8"}, "remote_ip_prefix"),
    ("add_firewall_rule", {"ethertype": "IPv6", "remote_ip_prefix": "::ffff:010.0.0.0/104"}, "remote_ip_prefix"),
    ("add_firewall_rule", {"ethertype": "IPv6", "remote_ip_prefix": "fe80::1%eth0/64"}, "remote_ip_prefix"),
    ("add_firewall_rule", {"remote_ip_prefix": "10.0.0.0/255.0.0.0"}, "remote_ip_prefix"),
    ("add_firewall_rule", {"protocol": "1", "port_range_min": 1, "port_range_max": 2}, "port_range_min"),
    ("add_firewall_rule", {"direction": "inwards"}, "direction"),
    ("add_firewall_rule", {"protocol": "tc\np"}, "protocol"),
    ("add_firewall_rule", {"protocol": " "}, "protocol"),
    ("deploy_instance", {"os_image": LEFT_OUT}, "os_image"),
    ("deploy_instance", {"volume_id": "BRK-123456V"}, "volume_id"),
    ("deploy_instance", {"image_id": "img-4711"}, "image_id"),
    ("deploy_instance", {"boot_source": "volume", "volume_id": "BRK-123456V"}, "os_image"),
    ("deploy_instance", {"boot_source": "volume", "os_image": LEFT_OUT}, "volume_id"),
    ("deploy_instance", {"boot_source": "custom_image", "os_image": LEFT_OUT}, "image_id"),
    ("deploy_instance", {"gpu_count": 3}, "gpu_count"),
    ("deploy_instance", {"gpu_count": 16}, "gpu_count"),
    ("deploy_instance", {"ssh_key_ids": []}, "ssh_key_ids"),
    ("deploy_instance", {"ssh_key_ids": ["key-4711", "key-4711"]}, "ssh_key_ids"),
    ("deploy_instance", {"tier": "Legacy 4711"}, "tier"),
    ("deploy_instance", {"os_volume": {"name": "os", "size_gb": 99}}, "os_volume.size_gb"),
    ("deploy_instance", {"os_volume": {"name": "os", "size_gb": 100, "type": "SSD"}}, "os_volume.type"),
    ("deploy_instance", {"security_rules": [SECURITY_RULE | {"port_range_min": 4711}]}, "security_rules.0"),
    ("deploy_instance", {"security_rules": [SECURITY_RULE | {"firewall_id": "fw-1"}]}, "security_rules.0.firewall_id"),
    ("deploy_instance", {"cloud_init": "é" * 8_193}, "cloud_init"),
    ("deploy_instance", {"jupyter_password": "1234567"}, "jupyter_password"),
    ("deploy_instance", {"name": "x" * 51}, "name"),
    ("deploy_instance", {"name": "naïve"}, "name"),
    ("deploy_instance", {"force": True}, "force"),
    ("create_volume", {"bootable": True}, "os_image"),
    ("create_volume", {"size_gb": 99}, "size_gb"),
    ("create_volume", {"size_gb": 1_048_577}, "size_gb"),
    ("create_volume", {"volume_type": "s s d"}, "volume_type"),
    ("create_custom_image", {"name": "ab"}, "name"),
    ("create_custom_image", {"name": "x" * 31}, "name"),
    ("create_ssh_key", {"name": "my laptop"}, "name"),
    ("create_ssh_key", {"name": ""}, "name"),
    ("create_ssh_key", {"public_key": "4711 is not a key"}, "public_key"),
    ("create_firewall", {"description": "x" * 256}, "description"),
    ("attach_volumes", {"volume_ids": []}, "volume_ids"),
    ("attach_volumes", {"volume_ids": "[not json 4711"}, "volume_ids"),
    ("attach_volumes", {"volume_ids": "[" * 100_000}, "volume_ids"),
    ("attach_volumes", {"volume_ids": LEFT_OUT}, "volume_ids"),
    ("attach_firewall", {"instance_ids": ["../4711"]}, "instance_ids.0"),
    ("update_startup_script", {"name": LEFT_OUT}, "script"),
    ("list_instances", {"page": 0}, "page"),
    ("list_instances", {"limit": 101}, "limit"),
    ("list_instances", {"status": "x" * 101}, "status"),
    ("get_instance", {"instance_id": "Billing"}, "instance_id"),
    ("get_instance", {"instance_id": ".."}, "instance_id"),
    ("get_instance", {"instance_id": "4711/delete"}, "instance_id"),
    ("get_instance", {"instance_id": "A" * 65}, "instance_id"),
    ("get_instance", {"instance_id": ""}, "instance_id"),
    ("get_instance", {"instance_id": "4711\n7"}, "instance_id"),
    ("quote_price", {"volume_size_gb": 0}, "volume_size_gb"),
]


@pytest.mark.parametrize(("tool", "changes", "field"), BAD)
def test_what_the_rules_forbid_is_refused_by_its_name_and_not_its_value(
    tool: str, changes: JsonObject, field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        call(tool, **changes)
    (error,) = caught.value.errors(include_url=False, include_input=False, include_context=False)
    place = ".".join(map(str, error["loc"])) or error["msg"].removeprefix("Value error, ").split(":")[0]
    assert place == field
    ours = {"os_image", "custom_image", "ingress", "advanced"}
    theirs = {value for value in changes.values() if isinstance(value, str) and len(value) > 6} - ours
    assert not [value for value in {*theirs, "4711"} if value in str(caught.value)]


@pytest.mark.parametrize(
    "secret", ["-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2", "PuTTY-User-Key-File-3: ssh-rsa\nhunter2"]
)
def test_a_private_key_is_refused_as_one_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValidationError, match="holds a private key") as caught:
        call("create_ssh_key", public_key=secret)
    assert "hunter2" not in str(caught.value)


@each_operation
def test_every_id_that_is_a_word_of_the_paths_is_refused_before_it_could_call_another_operation(
    operation: Operation,
) -> None:
    for name in operation.placeholders:
        for word in RESERVED_IDS:
            arguments = dict.fromkeys(operation.placeholders, "fine-1") | {name: word}
            with pytest.raises(ValidationError) as caught:
                operation.arguments.model_validate(arguments)
            assert (name,) in {error["loc"] for error in caught.value.errors()}


@pytest.mark.parametrize(
    ("tool", "field", "value"),
    [
        ("deploy_instance", "ssh_key_ids", ["key-1", "key-2"]),
        ("deploy_instance", "security_rules", [SECURITY_RULE]),
        ("deploy_instance", "os_volume", {"name": "os", "size_gb": 100}),
        ("attach_firewall", "instance_ids", []),
        ("attach_volumes", "volume_ids", ["BRK-123456V"]),
    ],
)
def test_an_array_or_object_may_come_as_json_text(tool: str, field: str, value: Any) -> None:
    assert call(tool, **{field: json.dumps(value)}) == call(tool, **{field: value})


def test_an_object_within_an_array_may_come_as_json_text() -> None:
    texts = [json.dumps(SECURITY_RULE)]
    assert call("deploy_instance", security_rules=texts)["security_rules"] == [SECURITY_RULE]


@each_operation
def test_null_means_absent_for_every_optional_argument_and_is_refused_for_others(operation: Operation) -> None:
    needed = INPUTS[operation.tool].get("required", [])
    for name in INPUTS[operation.tool]["properties"]:
        try:
            operation.arguments.model_validate({name: None})
        except ValidationError as error:
            wrong = {detail["loc"] for detail in error.errors()}
        else:
            wrong = set()
        assert ((name,) in wrong) == (name in needed)


@pytest.mark.parametrize("value", ["two", "2.5", True, 2.5, float("nan"), float("inf"), [2]])
def test_only_a_whole_number_is_an_integer(value: Any) -> None:
    with pytest.raises(ValidationError):
        call("list_instances", page=value)
    with pytest.raises(ValidationError):
        call("deploy_instance", gpu_count=value)


def test_two_point_zero_is_the_integer_two() -> None:
    assert repr(call("list_instances", page=2.0)["page"]) == "2"
    assert repr(call("deploy_instance", gpu_count=2.0)["gpu_count"]) == "2"


@pytest.mark.parametrize("value", ["truth", "1", 1, 0, "no"])
def test_only_true_and_false_are_booleans(value: Any) -> None:
    with pytest.raises(ValidationError):
        call("deploy_instance", public_ip=value)


def test_text_that_no_encoding_can_carry_is_refused() -> None:
    with pytest.raises(ValidationError):
        call("deploy_instance", cloud_init="\ud800")


def test_secrets_among_the_arguments_are_not_shown() -> None:
    arguments = BY_TOOL["deploy_instance"].arguments.model_validate(
        DEPLOYMENT | {"jupyter_password": "hunter2-hunter2", "cloud_init": "hunter2"}
    )
    assert "hunter2" not in repr(arguments)
