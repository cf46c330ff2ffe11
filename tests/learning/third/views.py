"""The third Barrack's addresses: about thirty operations, under names and paths of its own."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework import serializers as framework
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from tests.learning.third import serializers as forms
from tests.learning.third.control import SWITCHES
from tests.learning.third.models import Backup, Disk, Group, Key, Machine, Rule
from tests.learning.third.world import took_effect

PER_HOUR = {"prices": {"USD": 0.1}, "unit": "per TB per hour"}
FIXED = {"prices": {"USD": 0.1}, "unit": "per hour (fixed 100GB)", "fixed_size_gb": 100}
OF_A_GPU = {"prices": {"USD": 2.5}, "unit": "per GPU per hour", "max_count": 8}
TIERS = ("legacy", "advanced")
PRICES = {
    "volumes": {"pricing": {tier: {"NVMe": PER_HOUR, "SSD": PER_HOUR} for tier in TIERS}},
    "snapshots": {"pricing": {"legacy": FIXED}},
    "gpus": {"pricing": {tier: {"H100-SXM5-80GB": OF_A_GPU} for tier in TIERS}},
}


class Things(GenericViewSet):
    """Rows of one kind: listed, shown and taken away alike."""

    answer: type[framework.Serializer]
    root = ""
    listed = ""

    def shown(self, row: Any, status: int = 200) -> Response:
        return Response({self.root: self.answer(row).data}, status=status)

    def given(self) -> dict[str, Any]:
        """What the request says, checked against what this action takes."""
        form = self.get_serializer(data=self.request.data)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)

    def all_of_them(self) -> Response:
        rows = self.answer(self.get_queryset().order_by("pk"), many=True).data
        return Response({self.listed: rows, "total": len(rows)} if self.listed else rows)

    def gone(self, what: str) -> Response:
        self.get_object().delete()
        took_effect(what)
        return Response({"message": "It is gone."})


def told(title: str, group: str, answer: Any = None, form: Any = None) -> Any:
    """As the vendor's reference has it."""
    more = {"request": form} if form is not None else {}
    return extend_schema(summary=title, tags=[group], responses=answer or forms.Receipt, **more)


class DiskViews(Things):
    queryset = Disk.objects.all()
    serializer_class = forms.NewDisk
    answer, root, listed = forms.DiskOut, "volume", "volumes"
    lookup_value_converter = "uuid"

    @told("List volumes", "Volumes", forms.wrapped("volumes", forms.DiskOut(many=True)))
    def list(self, request: Request) -> Response:
        del request
        return self.all_of_them()

    @told("Create volume", "Volumes", forms.wrapped("volume", forms.DiskOut()))
    def create(self, request: Request) -> Response:
        del request
        said = self.given()
        row = Disk.objects.create(
            name=said["label"], size=said["size"], region=said["location"], kind=said["kind"], tier=said["plan"]
        )
        took_effect("create_volume")
        return self.shown(row, 201)

    @told("Get volume details", "Volumes", forms.wrapped("volume", forms.DiskOut()))
    def retrieve(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self.shown(self.get_object())

    @told("Delete volume", "Volumes")
    def destroy(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self.gone("delete_volume")

    @told("Clone volume", "Volumes", forms.wrapped("volume", forms.DiskOut()))
    @action(detail=True, methods=["post"], serializer_class=forms.Copy)
    def clone(self, request: Request, pk: Any) -> Response:
        del request, pk
        row, said = self.get_object(), self.given()
        copy = Disk.objects.create(name=said["label"], size=row.size, region=row.region, kind=row.kind, tier=row.tier)
        took_effect("clone_volume")
        return self.shown(copy, 201)

    @told("Resize volume", "Volumes", forms.wrapped("volume", forms.DiskOut()))
    @action(detail=True, methods=["post"], serializer_class=forms.Size)
    def resize(self, request: Request, pk: Any) -> Response:
        del request, pk
        row, said = self.get_object(), self.given()
        row.size = said["capacity"]
        row.save()
        took_effect("resize_volume")
        return self.shown(row)


class MachineViews(Things):
    queryset = Machine.objects.all()
    serializer_class = forms.MachineOut
    answer, root, listed = forms.MachineOut, "instance", "instances"

    def _becomes(self, status: str, what: str) -> Response:
        row = self.get_object()
        row.status = status
        row.save()
        took_effect(what)
        return Response({"message": "Done.", "vm_id": str(row.pk), "status": status})

    @told("List instances", "Instances", forms.wrapped("instances", forms.MachineOut(many=True)))
    def list(self, request: Request) -> Response:
        del request
        return self.all_of_them()

    @told("Get instance details", "Instances", forms.wrapped("instance", forms.MachineOut()))
    def retrieve(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self.shown(self.get_object())

    @told("Delete instance", "Instances")
    def destroy(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self.gone("delete_instance")

    @told("Start instance", "Instances", form=forms.Empty)
    @action(detail=True, methods=["post"], serializer_class=forms.Empty)
    def start(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self._becomes("ACTIVE", "start_instance")

    @told("Stop instance", "Instances", form=forms.Empty)
    @action(detail=True, methods=["post"], serializer_class=forms.Empty)
    def stop(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self._becomes("SHUTOFF", "stop_instance")

    @told("Reboot instance", "Instances", form=forms.Empty)
    @action(detail=True, methods=["put"], serializer_class=forms.Empty)
    def reboot(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self._becomes("ACTIVE", "reboot_instance")

    def _moved(self, machine: Machine | None, what: str) -> Response:
        row, said = self.get_object(), self.given()
        Disk.objects.filter(pk__in=said["disks"]).update(
            machine=machine and row, status="in-use" if machine else "available"
        )
        took_effect(what)
        return Response({"message": "Done.", "vm_id": str(row.pk), "volume_ids": [str(each) for each in said["disks"]]})

    @told("Attach volumes to instance", "Volumes")
    @action(detail=True, methods=["post"], serializer_class=forms.Disks)
    def attach_volumes(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self._moved(self.get_object(), "attach_volumes")

    @told("Detach volumes from instance", "Volumes")
    @action(detail=True, methods=["post"], serializer_class=forms.Disks)
    def detach_volumes(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self._moved(None, "detach_volumes")

    @told("Create snapshot", "Snapshots", forms.wrapped("snapshot", forms.BackupOut()))
    @action(detail=True, methods=["post"], serializer_class=forms.NewBackup)
    def snapshot(self, request: Request, pk: Any) -> Response:
        del request, pk
        row, said = self.get_object(), self.given()
        made = Backup.objects.create(name=said["title"], description=said.get("note", ""), machine=row)
        took_effect("create_snapshot")
        return Response({"snapshot": forms.BackupOut(made).data}, status=201)


class BackupViews(Things):
    queryset = Backup.objects.all()
    serializer_class = forms.BackupOut
    answer, root, listed = forms.BackupOut, "snapshot", "snapshots"

    @told("List snapshots", "Snapshots", forms.wrapped("snapshots", forms.BackupOut(many=True)))
    def list(self, request: Request) -> Response:
        del request
        return self.all_of_them()

    @told("Get snapshot details", "Snapshots", forms.wrapped("snapshot", forms.BackupOut()))
    def retrieve(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self.shown(self.get_object())

    @told("Delete snapshot", "Snapshots")
    def destroy(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self.gone("delete_snapshot")

    @told("Restore snapshot", "Snapshots", forms.wrapped("instance", forms.MachineOut()))
    @action(detail=True, methods=["post"], serializer_class=forms.Restored)
    def restore(self, request: Request, pk: Any) -> Response:
        del request, pk
        row, said = self.get_object(), self.given()
        made = Machine.objects.create(name=said.get("title", row.name), status="BUILD")
        took_effect("restore_snapshot")
        return Response({"instance": forms.MachineOut(made).data}, status=201)


class KeyViews(Things):
    queryset = Key.objects.all()
    serializer_class = forms.NewKey
    answer, root = forms.KeyOut, "key"

    @told("List SSH keys", "SSH Keys", forms.KeyOut(many=True))
    def list(self, request: Request) -> Response:
        del request
        return self.all_of_them()

    @told("Create SSH key", "SSH Keys", forms.wrapped("key", forms.KeyOut()))
    def create(self, request: Request) -> Response:
        del request
        said = self.given()
        row = Key.objects.create(name=said["label"], public_key=said["public_key"])
        took_effect("create_ssh_key")
        return self.shown(row, 201)

    @told("Get SSH key", "SSH Keys", forms.wrapped("key", forms.KeyOut()))
    def retrieve(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self.shown(self.get_object())

    @told("Delete SSH key", "SSH Keys")
    def destroy(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self.gone("delete_ssh_key")


class GroupViews(Things):
    queryset = Group.objects.all()
    serializer_class = forms.NewGroup
    answer, root = forms.GroupOut, "firewall"

    @told("List firewalls", "Firewalls", forms.GroupOut(many=True))
    def list(self, request: Request) -> Response:
        del request
        return self.all_of_them()

    @told("Create firewall", "Firewalls", forms.wrapped("firewall", forms.GroupOut()))
    def create(self, request: Request) -> Response:
        del request
        said = self.given()
        words = said.get("description", "")
        row = Group.objects.create(name=said["label"], region=said["location"], description=words)
        took_effect("create_firewall")
        return self.shown(row, 201)

    @told("Get firewall details", "Firewalls", forms.wrapped("firewall", forms.GroupOut()))
    def retrieve(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self.shown(self.get_object())

    @told("Delete firewall", "Firewalls")
    def destroy(self, request: Request, pk: Any) -> Response:
        del request, pk
        return self.gone("delete_firewall")

    @told("Add firewall rule", "Firewalls", forms.wrapped("rule", forms.RuleOut()))
    @action(detail=True, methods=["post"], serializer_class=forms.NewRule)
    def rules(self, request: Request, pk: Any) -> Response:
        del request, pk
        row, said = self.get_object(), self.given()
        ports = {"port_range_min": said.pop("port_min", None), "port_range_max": said.pop("port_max", None)}
        made = Rule.objects.create(group=row, **said, **ports)
        took_effect("add_firewall_rule")
        return Response({"rule": forms.RuleOut(made).data}, status=201)

    @told("Remove firewall rule", "Firewalls")
    @action(detail=True, methods=["delete"], url_path="rules/(?P<rule_id>[0-9]+)")
    def remove(self, request: Request, pk: Any, rule_id: str) -> Response:
        del request, pk
        self.get_object().rules.filter(pk=rule_id).delete()
        took_effect("remove_firewall_rule")
        return Response({"message": "It is gone."})

    @told("Attach firewall to instances", "Firewalls")
    @action(detail=True, methods=["post"], serializer_class=forms.Machines)
    def attach(self, request: Request, pk: Any) -> Response:
        del request, pk
        row, said = self.get_object(), self.given()
        row.machines.set(Machine.objects.filter(pk__in=said["machines"]))
        took_effect("attach_firewall")
        return Response({"message": "Done.", "instance_ids": [str(each) for each in said["machines"]]})


class Prices(APIView):
    """What things cost, all of it or what is asked for."""

    @told("Get pricing information", "Pricing", forms.wrapped("pricing_data", framework.DictField()))
    def get(self, request: Request) -> Response:
        del request
        return Response({"pricing_data": PRICES})

    @told("Get pricing information", "Pricing", forms.wrapped("pricing_data", framework.DictField()), forms.Wanted)
    def post(self, request: Request) -> Response:
        form = forms.Wanted(data=request.data)
        form.is_valid(raise_exception=True)
        return Response({"pricing_data": PRICES})


class Locations(APIView):
    """Where things may be."""

    @told("List available regions", "Regions", forms.wrapped("regions", forms.Location(many=True)))
    def get(self, request: Request) -> Response:
        del request
        return Response({"regions": [{"name": "CANADA-1", "country": "Canada", "tier": "advanced"}]})


class Root(APIView):
    """The map of the API, with a map of its own inside."""

    names: tuple[str, ...] = ("disks", "machines", "backups", "keys", "network", "prices", "locations")

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response({name: reverse(f"{name}-list", request=request) for name in self.names})


class Network(Root):
    names = ("security-groups",)


def as_generated(result: Any, **_: Any) -> Any:
    """The document as the framework makes it where nobody wrote titles, if that is switched on."""
    for item in result["paths"].values() if not SWITCHES.titles else ():
        for operation in item.values():
            operation.pop("summary", None)
            operation.pop("tags", None)
    return result


class SchemaView(SpectacularAPIView):
    """The API's own document, where it is switched on."""

    permission_classes = (AllowAny,)
    throttle_classes = ()

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        if not SWITCHES.schema:
            raise Http404
        answer: Response = super().get(request, *args, **kwargs)
        return answer
