"""What the third Barrack takes and answers."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer, inline_serializer
from rest_framework import serializers

from tests.learning.third.models import KINDS, Backup, Disk, Group, Key, Machine, Rule

PLANS = (("legacy", "Legacy"), ("advanced", "Advanced"))


class DiskOut(serializers.ModelSerializer):
    class Meta:
        model = Disk
        fields = ("id", "name", "size", "region", "tier", "type", "status", "bootable", "vm_id")

    type = serializers.CharField(source="get_kind_display", read_only=True)
    vm_id = serializers.CharField(source="machine_id", allow_null=True, read_only=True)


class NewDisk(serializers.Serializer):
    id = serializers.UUIDField(read_only=True)
    label = serializers.CharField(max_length=80, help_text="What to call it")
    size = serializers.IntegerField(min_value=10, max_value=4000, help_text="In GB")
    location = serializers.CharField(max_length=40)
    kind = serializers.ChoiceField(KINDS)
    plan = serializers.ChoiceField(PLANS)
    bootable = serializers.BooleanField(required=False)


class Copy(serializers.Serializer):
    label = serializers.CharField(max_length=80)


class Size(serializers.Serializer):
    capacity = serializers.IntegerField(min_value=10, max_value=4000)


class MachineOut(serializers.ModelSerializer):
    class Meta:
        model = Machine
        fields = ("id", "name", "gpu_model", "gpu_count", "region", "tier", "status")


class Disks(serializers.Serializer):
    disks = serializers.ListField(child=serializers.UUIDField(), help_text="Which ones")


class Empty(serializers.Serializer):
    """Nothing is taken."""


class Receipt(serializers.Serializer):
    message = serializers.CharField()
    vm_id = serializers.CharField(required=False)
    status = serializers.CharField(required=False)


class BackupOut(serializers.ModelSerializer):
    class Meta:
        model = Backup
        fields = ("id", "name", "description", "size", "status", "region", "vm_id")

    vm_id = serializers.CharField(source="machine_id", allow_null=True, read_only=True)


class NewBackup(serializers.Serializer):
    title = serializers.CharField(max_length=80)
    note = serializers.CharField(max_length=200, required=False, allow_blank=True)


class Restored(serializers.Serializer):
    title = serializers.CharField(max_length=80, required=False)


class KeyOut(serializers.ModelSerializer):
    class Meta:
        model = Key
        fields = ("id", "name", "public_key")


class NewKey(serializers.Serializer):
    label = serializers.CharField(max_length=80)
    public_key = serializers.CharField(max_length=2000)


class RuleOut(serializers.ModelSerializer):
    class Meta:
        model = Rule
        fields = ("id", "direction", "ethertype", "protocol", "port_range_min", "port_range_max", "cidr")


class NewRule(serializers.Serializer):
    direction = serializers.ChoiceField(("ingress", "egress"))
    ethertype = serializers.ChoiceField(("IPv4", "IPv6"))
    protocol = serializers.CharField(max_length=20)
    port_min = serializers.IntegerField(min_value=1, max_value=65535, required=False)
    port_max = serializers.IntegerField(min_value=1, max_value=65535, required=False)
    cidr = serializers.CharField(max_length=60)


class GroupOut(serializers.ModelSerializer):
    class Meta:
        model = Group
        fields = ("id", "name", "description", "region", "status", "rules", "attachments")

    rules = RuleOut(many=True, read_only=True)
    attachments = serializers.ListField(child=serializers.DictField(), read_only=True, default=list)


class NewGroup(serializers.Serializer):
    label = serializers.CharField(max_length=80)
    location = serializers.CharField(max_length=40)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)


class Machines(serializers.Serializer):
    machines = serializers.ListField(child=serializers.IntegerField())


class Wanted(serializers.Serializer):
    tier = serializers.ChoiceField(PLANS, required=False)
    currency = serializers.CharField(required=False)
    resource_type = serializers.CharField(required=False)
    gpu_model = serializers.CharField(required=False)
    gpu_count = serializers.IntegerField(required=False)
    volume_type = serializers.CharField(required=False)
    volume_size_gb = serializers.IntegerField(required=False)


class Location(serializers.Serializer):
    name = serializers.CharField()
    country = serializers.CharField()
    tier = serializers.CharField()


def wrapped(name: str, inner: Any) -> Any:
    """An answer that holds something under a name, and is no list itself."""
    made = inline_serializer(f"{name.title()}Answer", {name: inner})
    extend_schema_serializer(many=False)(type(made))
    return made
