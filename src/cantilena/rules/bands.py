"""Bands: between which bounds people keep a feature of their melodies."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.rules.context import Context

PEOPLES_OWN = -1.0
"""In place of a number of a band, which is 0 or more: the one that was measured."""

ANY_METER = "any"
"""The name under which the bands over all meters are kept."""


@dataclass(frozen=True, slots=True)
class Band:
    """Where people keep a feature.

    Args:
        low: its 10th percentile.
        high: its 90th percentile.
        spread: its standard deviation: the unit in which distances from the band are told.

    Example:
        >>> Band(7.0, 14.0, 3.5).deviations(np.array([3.5, 7.0, 21.0])).tolist()
        [1.0, 0.0, 2.0]
    """

    low: float
    high: float
    spread: float

    def inside(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which values lie within the bounds; NaN does not."""
        return (values >= self.low) & (values <= self.high)

    def deviations(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far outside each value lies, in spreads (in ones where that is 0); 0 inside, and where it is NaN."""
        unit = self.spread if self.spread > 0 else 1.0
        return np.nan_to_num(np.maximum(np.maximum(self.low - values, values - self.high), 0.0)) / unit

    def completed(self, other: Band | None) -> Band:
        """The same band with another's numbers where its own are below 0; with no bounds where there is none."""
        theirs = other or Band(0.0, math.inf, 1.0)
        return Band(
            self.low if self.low >= 0 else theirs.low,
            self.high if self.high >= 0 else theirs.high,
            self.spread if self.spread >= 0 else theirs.spread,
        )


@dataclass(frozen=True)
class Bands:
    """The bands of features by meter and length.

    Args:
        found: by feature, by meter as written (`4/4`, or `any` for all together), by number of bars.

    Example:
        >>> bands = Bands({"range": {"any": {4: Band(7, 14, 3), 8: Band(9, 16, 3)}}})
        >>> bands.lookup("range", Context(), 96)
        Band(low=9, high=16, spread=3)
    """

    found: Mapping[str, Mapping[str, Mapping[int, Band]]]

    def lookup(self, feature: str, context: Context, steps: int) -> Band | None:
        """The band of a feature for melodies of so many steps; None where none was measured.

        It is that of the nearest number of bars, as a ratio, of the meter, or of all meters where the meter's own were
        too few at that length. Where steps tell no time, they are taken for bars by how many notes a bar has.
        """
        by_meter = self.found.get(feature, {})
        lengths = sorted({bars for some in by_meter.values() for bars in some})
        if not lengths:
            return None
        wanted = max(steps / self._steps_per_bar(context), 1e-9)
        bars = min(lengths, key=lambda each: abs(math.log(each / wanted)))
        for meter in (str(context.meter), ANY_METER):
            if bars in by_meter.get(meter, {}):
                return by_meter[meter][bars]
        return None

    def _steps_per_bar(self, context: Context) -> float:
        density = self.found.get("density", {}).get(ANY_METER, {})
        if context.timed or not density:
            return context.steps_per_bar
        notes = [(band.low + band.high) / 2 for band in density.values()]
        return max(float(np.mean(notes)), 1e-3) * context.meter.ticks_per_bar / 24

    def to_toml(self) -> str:
        """As text: a table a feature, a row a meter: `[bars, low, high, spread]`, three digits each."""
        lines = []
        for feature, by_meter in self.found.items():
            lines.append(f"[{feature}]")
            for meter, by_bars in by_meter.items():
                rows = ", ".join(
                    f"[{bars}, {band.low:.3g}, {band.high:.3g}, {band.spread:.3g}]" for bars, band in by_bars.items()
                )
                lines.append(f'"{meter}" = [{rows}]')
            lines.append("")
        return "\n".join(lines)

    @classmethod
    def from_toml(cls, text: str) -> Bands:
        r"""Read what `to_toml` wrote.

        Raises:
            UsageError: it is something else.

        Example:
            >>> Bands.from_toml('[range]\nany = [[4, 7, 14, 3.0]]').found["range"]["any"]
            {4: Band(low=7.0, high=14.0, spread=3.0)}
        """
        try:
            return cls(
                {
                    str(feature): {str(meter): _by_bars(rows) for meter, rows in by_meter.items()}
                    for feature, by_meter in tomllib.loads(text).items()
                }
            )
        except (ValueError, TypeError, AttributeError) as error:
            hint = "write a table a feature with rows like any = [[8, 7.0, 16.0, 3.2]]: bars, low, high, spread"
            raise UsageError("these are not bands of features", hint) from error


def _by_bars(rows: list[Any]) -> dict[int, Band]:
    found = {}
    for bars, low, high, spread in rows:
        if int(bars) < 1 or not float(low) <= float(high) or not float(spread) >= 0:
            raise ValueError(rows)
        found[int(bars)] = Band(float(low), float(high), float(spread))
    return found


@lru_cache(maxsize=1)
def human_bands() -> Bands:
    """The bands of the built-in corpus, which `scripts/measure_bands.py` measured.

    Example:
        >>> human_bands().lookup("range", Context(), 128).low > 5
        True
    """
    return Bands.from_toml(resources.files("cantilena.rules").joinpath("bands.toml").read_text(encoding="utf-8"))
