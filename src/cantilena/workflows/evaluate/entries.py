"""Numbers with their intervals as results.json holds them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cantilena.metrics import Interval

Entry = dict[str, Any]
"""`value`, `low`, `high`; None where undefined, with a `reason` where the value is."""


def entry(interval: Interval, reason: str) -> Entry:
    """An interval as JSON: six digits, so that the last bits of a sum do not make two runs differ.

    Args:
        interval: the number and its bounds.
        reason: why it is undefined, if it is.

    Example:
        >>> entry(Interval(0.5, math.nan, math.nan), "there is no melody")
        {'value': 0.5, 'low': None, 'high': None}
        >>> entry(Interval(math.nan, math.nan, math.nan), "there is no melody")
        {'value': None, 'low': None, 'high': None, 'reason': 'there is no melody'}
    """
    if not math.isfinite(interval.value):
        return undefined(reason)
    return {"value": round(interval.value, 6), "low": rounded(interval.low), "high": rounded(interval.high)}


def undefined(reason: str) -> Entry:
    """A number that there is not, and why."""
    return {"value": None, "low": None, "high": None, "reason": reason}


def rounded(value: float) -> float | None:
    """A number to six digits; None where it is none."""
    return round(value, 6) if math.isfinite(value) else None


def rate_entries(rates: Mapping[str, Interval]) -> dict[str, Entry]:
    """Rates by metric as JSON, each with what its being undefined means."""
    return {name: entry(rate, _UNDEFINED.get(name, _NOTHING)) for name, rate in rates.items()}


_NOTHING = "there is nothing to count"

_UNDEFINED: Mapping[str, str] = {
    "leaps_resolved": "no leap was resolved or doubled",
    **{f"autocorrelation_{lag}": "no melody varies" for lag in (1, 2, 3)},
}
"""Why a rate can be undefined, where more can be said."""
