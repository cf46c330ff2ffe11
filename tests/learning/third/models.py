"""What the third Barrack keeps, and each effect that anything took on it."""

from __future__ import annotations

import uuid

from django.db import models

KINDS = (("ssd", "SSD"), ("hdd", "HDD"), ("nvme", "NVMe"))


class Effect(models.Model):
    """One row for each write that was done."""

    what = models.CharField(max_length=60)

    def __str__(self) -> str:
        return str(self.what)


class Machine(models.Model):
    name = models.CharField(max_length=80)
    gpu_model = models.CharField(max_length=40, default="H100-SXM5-80GB")
    gpu_count = models.IntegerField(default=1)
    region = models.CharField(max_length=40, default="CANADA-1")
    tier = models.CharField(max_length=20, default="advanced")
    status = models.CharField(max_length=20, default="ACTIVE")

    def __str__(self) -> str:
        return str(self.name)


class Disk(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=80)
    size = models.IntegerField()
    region = models.CharField(max_length=40)
    tier = models.CharField(max_length=20, default="advanced")
    kind = models.CharField(max_length=20, choices=KINDS)
    status = models.CharField(max_length=20, default="available")
    bootable = models.BooleanField(default=False)
    machine = models.ForeignKey(Machine, null=True, on_delete=models.SET_NULL, related_name="disks")

    def __str__(self) -> str:
        return str(self.name)


class Backup(models.Model):
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=200, default="", blank=True)
    size = models.IntegerField(default=40)
    status = models.CharField(max_length=20, default="SUCCESS")
    region = models.CharField(max_length=40, default="CANADA-1")
    machine = models.ForeignKey(Machine, null=True, on_delete=models.SET_NULL, related_name="backups")

    def __str__(self) -> str:
        return str(self.name)


class Key(models.Model):
    name = models.CharField(max_length=80)
    public_key = models.CharField(max_length=2000)

    def __str__(self) -> str:
        return str(self.name)


class Group(models.Model):
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=200, default="", blank=True)
    region = models.CharField(max_length=40)
    status = models.CharField(max_length=20, default="SUCCESS")
    machines = models.ManyToManyField(Machine, related_name="groups")

    def __str__(self) -> str:
        return str(self.name)


class Rule(models.Model):
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="rules")
    direction = models.CharField(max_length=10)
    ethertype = models.CharField(max_length=10)
    protocol = models.CharField(max_length=20)
    port_range_min = models.IntegerField(null=True)
    port_range_max = models.IntegerField(null=True)
    cidr = models.CharField(max_length=60)

    def __str__(self) -> str:
        return str(self.protocol)
