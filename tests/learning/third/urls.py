"""Where everything is."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from tests.learning.third import views
from tests.learning.third.control import PLACE, control

BASE = "cloud/v2/"

router = SimpleRouter()
router.register("disks", views.DiskViews, basename="disks")
router.register("machines", views.MachineViews, basename="machines")
router.register("backups", views.BackupViews, basename="backups")
router.register("keys", views.KeyViews, basename="keys")

network = SimpleRouter()
network.register("security-groups", views.GroupViews, basename="security-groups")

urlpatterns = [
    path(PLACE.removeprefix("/"), control),
    path(BASE, views.Root.as_view()),
    path(f"{BASE}schema/", views.SchemaView.as_view()),
    path(f"{BASE}network/", views.Network.as_view(), name="network-list"),
    path(f"{BASE}network/", include(network.urls)),
    path(f"{BASE}prices/", views.Prices.as_view(), name="prices-list"),
    path(f"{BASE}locations/", views.Locations.as_view(), name="locations-list"),
    path(BASE, include(router.urls)),
]
handler404 = "tests.learning.third.refusing.nowhere"
