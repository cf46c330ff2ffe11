"""The price list and the data centres, as plain data. No other module knows a price.

Prices of four GPUs, of volumes and of snapshots are the vendor's published example; the other GPUs are the platform
guide of June 2025 (its USD prices; EUR and INR in proportion). Sizes, capacities and the advanced regions are ours.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

TIERS = ("legacy", "advanced")
CURRENCIES = ("USD", "EUR", "INR")
MIN_VOLUME_GB = 100
GB_PER_TB = 1000
SNAPSHOT_GB = 100


@dataclass(frozen=True, slots=True)
class Prices:
    """One price in each currency."""

    usd: float
    eur: float
    inr: float

    def of(self, currency: str) -> float:
        """The price in a currency."""
        return self.by_currency()[currency]

    def by_currency(self) -> dict[str, float]:
        """The price as the API shows it."""
        return {"USD": self.usd, "EUR": self.eur, "INR": self.inr}


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
    "H100-PCIe-NVLink-80GB": Gpu("legacy", Prices(2.29, 2.39, 199), 8, 80, 31, 180, 750, _legacy(16, 32, 16)),
    "H100-PCIe-80GB": Gpu("legacy", Prices(2.25, 2.35, 195), 8, 80, 28, 180, 750, _legacy(16, 16, 16)),
    "A100-SXM4-80GB-NVLink": Gpu("legacy", Prices(1.59, 1.69, 139), 8, 80, 24, 120, 650, _legacy(8, 8, 8)),
    "A100-PCIe-80GB": Gpu("legacy", Prices(1.55, 1.65, 135), 8, 80, 28, 120, 750, _legacy(24, 24, 8)),
    "L40": Gpu("legacy", Prices(1.19, 1.25, 99), 8, 48, 28, 58, 725, _legacy(24, 24, 8)),
    "RTX-A6000": Gpu("legacy", Prices(0.69, 0.75, 49), 4, 48, 28, 58, 425, _legacy(16, 32, 16)),
    "A40": Gpu("legacy", Prices(0.69, 0.75, 49), 4, 48, 28, 58, 425, _legacy(8, 8, 8)),
    "B300-262GB": Gpu("advanced", Prices(5.79, 5.99, 499), 8, 262, 30, 275, 0, {"FIN-01": 16, "FIN-03": 8}),
    "H100-SXM5-80GB": Gpu("advanced", Prices(2.49, 2.69, 209), 8, 80, 30, 185, 0, _SXM5),
}

VOLUME_PRICES = {
    "SSD": ("legacy", Prices(0.1, 0.1, 10)),
    "HDD": ("advanced", Prices(0.08, 0.08, 8)),
    "NVMe": ("advanced", Prices(0.3, 0.3, 30)),
}
SNAPSHOT_PRICES = Prices(0.1, 0.1, 10)
HIBERNATED_PRICES = Prices(0.01, 0.01, 1)
VOLUME_CREDIT = Prices(1, 1, 100)
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


@dataclass(frozen=True, slots=True)
class OSImage:
    """What a machine of one region and tier can boot from; `gpu_models` are the only ones that it fits, if any."""

    id: str
    name: str
    type: str
    version: str
    region: str
    tier: str
    gpu_models: tuple[str, ...] = ()

    def listing(self) -> dict[str, Any]:
        """As the API lists it."""
        return {name: value for name, value in asdict(self).items() if value != ()}


@cache
def os_images() -> tuple[OSImage, ...]:
    """Every image of every region: first the operating systems, then the applications."""
    places = [(region, tier) for region, (_, tiers) in REGIONS.items() for tier in tiers]
    found: list[tuple[str, str, str, str, str, tuple[str, ...]]] = [
        (*system, *place, ()) for place in places for system in _SYSTEMS
    ]
    for region, tier in places:
        for name, models in _APPLICATIONS.items():
            here = tuple(each for each in models if GPUS[each].tier == tier and region in GPUS[each].capacity)
            if here:
                found.append((name, "Application", "1", region, tier, here))
    return tuple(OSImage(f"OS-{number}", *each) for number, each in enumerate(found, start=1))


def find_os_image(name: str, region: str, tier: str) -> OSImage | None:
    """The image of this name for machines of this region and tier."""
    wanted = (name, region, tier)
    return next((image for image in os_images() if (image.name, image.region, image.tier) == wanted), None)


def keeps_public_ip(image_name: str) -> bool:
    """Whether machines that boot from this image have a public address always."""
    return image_name in _APPLICATIONS
