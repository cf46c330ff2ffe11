"""The price list and the data centres, as plain data. No other module knows a price.

Prices of four GPUs, of volumes and of snapshots are the vendor's published example; the other GPUs are the platform
guide of June 2025 (its USD prices; EUR and INR in proportion). Sizes, capacities and the advanced regions are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

TIERS = ("legacy", "advanced")
CURRENCIES = ("USD", "EUR", "INR")
MIN_VOLUME_GB = 100
GB_PER_TB = 1000
SNAPSHOT_GB = 100

Prices = dict[str, float]
"""One price in each currency, as the API shows it."""


def _prices(*each: float) -> Prices:
    return dict(zip(CURRENCIES, each, strict=True))


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU model: what it costs an hour, and what one of them brings along."""

    tier: str
    prices: Prices
    max_count: int
    vram_gb: int
    vcpu: int
    ram_gb: int
    ephemeral_gb: int
    capacity: dict[str, int]


def _legacy(norway: int, canada: int, us: int) -> dict[str, int]:
    return {"NORWAY-1": norway, "CANADA-1": canada, "US-1": us}


_SXM5 = {"FIN-01": 16, "FIN-02": 16, "ICE-01": 16, "US-1": 8}
GPUS = {
    "H100-PCIe-NVLink-80GB": Gpu("legacy", _prices(2.29, 2.39, 199), 8, 80, 31, 180, 750, _legacy(16, 32, 16)),
    "H100-PCIe-80GB": Gpu("legacy", _prices(2.25, 2.35, 195), 8, 80, 28, 180, 750, _legacy(16, 16, 16)),
    "A100-SXM4-80GB-NVLink": Gpu("legacy", _prices(1.59, 1.69, 139), 8, 80, 24, 120, 650, _legacy(8, 8, 8)),
    "A100-PCIe-80GB": Gpu("legacy", _prices(1.55, 1.65, 135), 8, 80, 28, 120, 750, _legacy(24, 24, 8)),
    "L40": Gpu("legacy", _prices(1.19, 1.25, 99), 8, 48, 28, 58, 725, _legacy(24, 24, 8)),
    "RTX-A6000": Gpu("legacy", _prices(0.69, 0.75, 49), 4, 48, 28, 58, 425, _legacy(16, 32, 16)),
    "A40": Gpu("legacy", _prices(0.69, 0.75, 49), 4, 48, 28, 58, 425, _legacy(8, 8, 8)),
    "B300-262GB": Gpu("advanced", _prices(5.79, 5.99, 499), 8, 262, 30, 275, 0, {"FIN-01": 16, "FIN-03": 8}),
    "H100-SXM5-80GB": Gpu("advanced", _prices(2.49, 2.69, 209), 8, 80, 30, 185, 0, _SXM5),
}

VOLUME_PRICES = {
    "SSD": ("legacy", _prices(0.1, 0.1, 10)),
    "HDD": ("advanced", _prices(0.08, 0.08, 8)),
    "NVMe": ("advanced", _prices(0.3, 0.3, 30)),
}
SNAPSHOT_PRICES = _prices(0.1, 0.1, 10)
HIBERNATED_PRICES = _prices(0.01, 0.01, 1)
VOLUME_CREDIT = _prices(1, 1, 100)
"""The least credit with which a volume can be created."""

REGIONS = {
    "NORWAY-1": ("Norway", ("legacy",)),
    "CANADA-1": ("Canada", ("legacy",)),
    "US-1": ("United States", ("legacy", "advanced")),
    "FIN-01": ("Finland", ("advanced",)),
    "FIN-02": ("Finland", ("advanced",)),
    "FIN-03": ("Finland", ("advanced",)),
    "ICE-01": ("Iceland", ("advanced",)),
}

_SYSTEMS = (
    ("Ubuntu 24.04 LTS", "Ubuntu", "24.04"),
    ("Ubuntu 24.04 LTS CUDA 12.8", "Ubuntu", "24.04"),
    ("Ubuntu 22.04 LTS", "Ubuntu", "22.04"),
    ("Ubuntu 22.04 LTS CUDA 12.4", "Ubuntu", "22.04"),
    ("Debian 12", "Debian", "12"),
)
_APPLICATIONS = {
    "Barrack Qwen 3-32B": ("H100-PCIe-NVLink-80GB", "H100-PCIe-80GB", "A100-PCIe-80GB", "H100-SXM5-80GB"),
    "Barrack ComfyUI - WAN T2V 14B": ("L40", "RTX-A6000", "H100-SXM5-80GB"),
}
"""Images that bring an application along, and the GPUs that each is made for (vendor posts of 2026)."""


@cache
def os_images() -> list[dict[str, Any]]:
    """Every image of every region as the API lists it: first the operating systems, then the applications."""
    places = [(region, tier) for region, (_, tiers) in REGIONS.items() for tier in tiers]
    found: list[dict[str, Any]] = [
        {"name": name, "type": kind, "version": version, "region": region, "tier": tier}
        for region, tier in places
        for name, kind, version in _SYSTEMS
    ]
    for region, tier in places:
        for name, models in _APPLICATIONS.items():
            here = [each for each in models if GPUS[each].tier == tier and region in GPUS[each].capacity]
            row = {"name": name, "type": "Application", "version": "1", "region": region, "tier": tier}
            found += [row | {"gpu_models": here}] if here else []
    return [{"id": f"OS-{number}"} | row for number, row in enumerate(found, start=1)]


def find_os_image(name: str, region: str, tier: str) -> dict[str, Any] | None:
    """The image of this name for machines of this region and tier; `gpu_models`, if any, are all that it fits."""
    wanted = (name, region, tier)
    return next((row for row in os_images() if (row["name"], row["region"], row["tier"]) == wanted), None)


def keeps_public_ip(image_name: str) -> bool:
    """Whether machines that boot from this image have a public address always."""
    return image_name in _APPLICATIONS
