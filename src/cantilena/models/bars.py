"""What is known of melodies before they begin: where their steps lie in their bars, and what else is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.models.conditions import KINDS, UNTOLD
from cantilena.models.told_rows import Told, told
from cantilena.music import Key, Meter
from cantilena.tokenizers import Encoding


@dataclass(frozen=True, slots=True)
class Bars:
    """Bar length and pickup of many melodies, and what else a network may be told of each.

    Args:
        steps_per_bar: `(melodies,)` int64, steps in a bar.
        pickup: `(melodies,)` int64, steps before the first barline.
        told: `(melodies, 4)` int64, key, mode, meter and style (`told_rows.py`); None where nothing is told.

    Example:
        >>> Bars.of(Meter(3, 4), melodies=1, step_ticks=6, pickup=24).positions(6).tolist()
        [[8, 9, 10, 11, 0, 1]]
    """

    steps_per_bar: NDArray[np.int64]
    pickup: NDArray[np.int64]
    told: Told | None = None

    @classmethod
    def of(
        cls,
        meter: Meter,
        *,
        melodies: int,
        step_ticks: int,
        pickup: int = 0,
        key: Key | None = None,
        style: int = UNTOLD,
    ) -> Bars:
        """The same meter, pickup (in ticks), key and style for all melodies, and all of that told."""
        steps = max(meter.ticks_per_bar // step_ticks, 1)
        return cls(
            np.full(melodies, steps, dtype=np.int64),
            np.full(melodies, pickup // step_ticks, dtype=np.int64),
            np.tile(told(key, meter, style), (melodies, 1)),
        )

    @classmethod
    def common_time(cls, melodies: int) -> Bars:
        """4/4 in sixteenths without a pickup: what RL Tuner assumes."""
        return cls.of(Meter(), melodies=melodies, step_ticks=6)

    def positions(self, steps: int, first: int = 0) -> NDArray[np.int64]:
        """`(melodies, steps)`: the place in its bar of each step from `first` on, 0 on the downbeat."""
        clock = np.arange(first, first + steps)[None, :]
        return (clock - self.pickup[:, None]) % self.steps_per_bar[:, None]

    @property
    def known(self) -> Told:
        """`(melodies, 4)`: what is told of each, `UNTOLD` where nothing is."""
        nothing = np.full((len(self.steps_per_bar), len(KINDS)), UNTOLD, dtype=np.int64)
        return nothing if self.told is None else self.told

    def untold(self) -> Bars:
        """The same bars, and nothing else known."""
        return Bars(self.steps_per_bar, self.pickup)

    def __getitem__(self, rows: Any) -> Bars:  # noqa: ANN401  (whatever numpy takes as an index)
        return Bars(self.steps_per_bar[rows], self.pickup[rows], None if self.told is None else self.told[rows])


def bars_in(meter: Meter | None, melodies: int, encoding: Encoding, key: Key | None = None) -> Bars | None:
    """The bars of so many melodies in a meter, 4/4 if None, and a key to tell; None where tokens tell no time."""
    if not encoding.tells_time:
        return None
    return Bars.of(meter or Meter(), melodies=melodies, step_ticks=encoding.step_ticks, key=key)
