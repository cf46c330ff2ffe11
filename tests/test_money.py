"""What things cost, how long credit lasts, and which numbers are believed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from barrack_mcp.account import money
from barrack_mcp.account.money import Billed
from barrack_mcp.account.prices import Prices

PRICES: dict[str, Any] = {
    "gpus": {"pricing": {"legacy": {"L40": {"prices": {"USD": 1.19, "EUR": "1.25", "INR": -1}}}}},
    "volumes": {
        "pricing": {
            "legacy": {"SSD": {"prices": {"USD": 0.1}, "unit": "per TB per hour"}},
            "advanced": {
                "HDD": {"prices": {"USD": 0.08}},
                "NVMe": {"prices": {"USD": 0.0003}, "unit": "per GB per hour"},
                "Tape": {"prices": {"USD": 5}, "unit": "per TB per month"},
                "Odd": {"prices": {"USD": 5}, "unit": "per shelf per hour"},
            },
        }
    },
    "snapshots": {"pricing": {"legacy": {"prices": {"USD": 0.1}, "fixed_size_gb": 100}}},
}


def cents(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


@pytest.mark.parametrize(
    ("currency", "price"),
    [("USD", 1.19), ("EUR", 1.25), ("INR", None), ("GBP", None)],
    ids=["number", "text", "negative", "absent"],
)
def test_a_gpu_price_is_read_in_the_currency_asked_for(currency: str, price: float | None) -> None:
    row = {"tier": "Legacy", "gpu_type": "L40", "gpu_count": 1}
    assert cents(Prices(PRICES, currency).instance(row, Billed.FULL)) == price


@pytest.mark.parametrize(
    ("tier", "kind", "size", "price"),
    [
        ("legacy", "SSD", 500, 0.05),
        ("Advanced", "HDD", 1000, 0.08),
        ("advanced", "NVMe", 100, 0.03),
        ("advanced", "Tape", 100, None),
        ("advanced", "Odd", 100, None),
        ("legacy", "NVMe", 100, None),
        ("legacy", None, 100, None),
        ("legacy", "SSD", None, None),
        ("legacy", "SSD", -1, None),
    ],
)
def test_a_volume_costs_by_its_size_and_an_unknown_unit_is_not_guessed_at(
    tier: str, kind: object, size: object, price: float | None
) -> None:
    found = Prices(PRICES, "USD").volume({"tier": tier, "volume_type": kind, "size_gb": size})
    assert cents(found) == price


def test_the_dearest_volume_of_a_tier_is_the_bound_where_the_type_is_not_said() -> None:
    assert cents(Prices(PRICES, "USD").dearest_volume(tier="advanced", size_gb=1000)) == 0.3
    assert Prices(PRICES, "EUR").dearest_volume(tier="advanced", size_gb=1000) is None
    assert Prices({}, "USD").dearest_volume(tier="advanced", size_gb=1000) is None


@pytest.mark.parametrize(("size", "price"), [(100, 0.1), (250, 0.25), (None, 0.1), ("x", 0.1)])
def test_a_snapshot_costs_in_proportion_to_the_fixed_size(size: object, price: float) -> None:
    assert cents(Prices(PRICES, "USD").snapshot({"size_gb": size})) == price


def test_a_snapshot_without_a_price_has_none() -> None:
    assert Prices({}, "USD").snapshot({"size_gb": 100}) is None
    assert Prices(PRICES, "EUR").snapshot({"size_gb": 100}) is None


@pytest.mark.parametrize(
    ("status", "rate"),
    [
        *((state, Billed.FULL) for state in ("ACTIVE", "SHUTOFF", "CREATING", "BUILD", "STARTING", "STOPPING")),
        *((state, Billed.FULL) for state in ("RESTORING", "REBOOTING", "ERROR", "unheard", None, 7, "creating")),
        *((state, Billed.HIBERNATED) for state in ("HIBERNATED", "HIBERNATING", "hibernating")),
        *((state, Billed.NOTHING) for state in ("DELETED", "DELETING", "deleted")),
    ],
)
def test_a_limit_counts_the_rate_at_which_an_instance_arrives(status: object, rate: Billed) -> None:
    assert money.settled(status) is rate


@pytest.mark.parametrize(
    ("status", "currency", "rate"),
    [
        ("ACTIVE", "USD", 4.98),
        ("SHUTOFF", "USD", 4.98),
        ("shutoff", "USD", 4.98),
        ("HIBERNATED", "USD", 0.01),
        ("HIBERNATED", "INR", 1.0),
        ("BUILD", "USD", 0.0),
        ("DELETED", "USD", 0.0),
        ("PONDERING", "USD", None),
        (None, "USD", None),
    ],
)
def test_each_state_costs_what_the_vendor_says(status: object, currency: str, rate: float | None) -> None:
    hourly = money.instance_hourly(money.billed(status), gpu_count=2, price=Decimal("2.49"), currency=currency)
    assert money.rounded(hourly) == rate


def test_the_vendors_own_billing_example_comes_out() -> None:
    pricing = {"gpus": {"pricing": {"advanced": {"H100-SXM5-80GB": {"prices": {"USD": 2.49}}}}}}
    row = {"tier": "Advanced", "gpu_type": "H100-SXM5-80GB", "gpu_count": 4}
    rate = Prices(pricing, "USD").instance(row, Billed.FULL)
    assert rate is not None
    assert round(rate / 60, 3) == Decimal("0.166")


@pytest.mark.parametrize("missing", [{}, {"gpus": None}, {"gpus": {"pricing": {"legacy": []}}}])
def test_a_price_that_is_not_there_is_not_guessed(missing: dict[str, Any]) -> None:
    assert Prices(missing, "USD").instance({"tier": "legacy", "gpu_type": "L40", "gpu_count": 1}, Billed.FULL) is None


@pytest.mark.parametrize(("count", "price"), [(None, Decimal(1)), (-1, Decimal(1)), (1, None), ("many", Decimal(1))])
def test_a_rate_that_cannot_be_told_is_none(count: object, price: Decimal | None) -> None:
    assert money.instance_hourly(Billed.FULL, gpu_count=count, price=price, currency="USD") is None
    assert money.instance_hourly(Billed.HIBERNATED, gpu_count=1, price=None, currency="GBP") is None


def test_burn_sums_what_is_known_and_counts_what_is_not() -> None:
    found = Prices(PRICES, "USD").burn(
        instances=[
            {"status": "CREATING", "tier": "legacy", "gpu_type": "L40", "gpu_count": 2},
            {"status": "HIBERNATED", "tier": "legacy", "gpu_type": "L40", "gpu_count": 1},
            {"status": "ACTIVE", "tier": "legacy", "gpu_type": "H200", "gpu_count": 1},
        ],
        volumes=[{"tier": "legacy", "volume_type": "SSD", "size_gb": 500}, {}],
        snapshots=[{"size_gb": 100}],
    )
    assert found.hourly == Decimal("2.54")
    assert found.unpriced == 2


def test_credit_lasts_as_long_as_the_burn_lets_it() -> None:
    assert money.runway_hours(Decimal(250), Decimal(5)) == 50
    assert money.runway_hours(Decimal(0), Decimal(5)) == 0
    assert money.runway_hours(Decimal(-3), Decimal(5)) == 0
    assert money.runway_hours(Decimal(1), Decimal(0)) == money.FOREVER


@pytest.mark.parametrize(
    ("value", "text"),
    [("0.69", "0.69 USD an hour"), ("0.0125", "0.0125 USD an hour"), ("1234.5", "1,234.50 USD an hour")],
)
def test_a_rate_is_written_to_the_digits_that_count(value: str, text: str) -> None:
    assert money.write_rate(Decimal(value), "USD") == text


def test_an_amount_is_written_to_the_cent_and_finer_below_one() -> None:
    assert money.write(Decimal("1007.4"), "EUR") == "1,007.40 EUR"
    assert money.write(Decimal("-2.5"), "INR") == "-2.50 INR"
    assert money.write(Decimal(0), "USD") == "0.00 USD"
    assert money.write(Decimal("0.0042"), "USD") == "0.0042 USD"
    assert money.write_month(Decimal("1.38"), "USD") == "1,007.40 USD a month"
    assert money.rounded(Decimal("0.123456")) == 0.1235
    assert money.rounded(None) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        [],
        {},
        "x",
        "",
        "NaN",
        "Infinity",
        float("inf"),
        float("nan"),
        Decimal("NaN"),
        "1e999999",
        10**11,
        pytest.param(10**5000, id="10**5000"),
        "9" * 9000,
    ],
)
def test_what_cannot_be_a_true_number_is_none(value: object) -> None:
    assert money.amount(value) is None


@pytest.mark.parametrize(("value", "number"), [(3, 3), (2.49, 2.49), ("2.49", 2.49), (Decimal(7), 7), ("-1", -1)])
def test_a_number_is_read_from_every_form_that_the_api_may_send(value: object, number: float) -> None:
    assert cents(money.amount(value)) == number


def test_no_product_of_believable_numbers_overflows() -> None:
    largest = 10**10
    pricing = {"gpus": {"pricing": {"legacy": {"L40": {"prices": {"USD": largest}}}}}}
    row = {"status": "ACTIVE", "tier": "legacy", "gpu_type": "L40", "gpu_count": largest}
    found = Prices(pricing, "USD").burn(instances=[row] * 500, volumes=[], snapshots=[])
    assert money.rounded(found.hourly) == 5e22
    assert money.write(found.hourly * money.MONTH_HOURS, "USD").endswith(".00 USD")
