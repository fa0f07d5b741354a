"""People's melodies for the listeners of a tuning: those that reward hear other pieces than the one that stops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cantilena.discriminators import PeoplesMelodies
from cantilena.errors import UsageError


@dataclass(frozen=True)
class CriticPeople:
    """People's melodies by role.

    Args:
        rewarding: what the discriminators learn from.
        stopping: what the listener that stops a run hears.

    Raises:
        UsageError: a piece that is in both.
    """

    rewarding: PeoplesMelodies
    stopping: PeoplesMelodies

    def __post_init__(self) -> None:
        both = np.intersect1d(self.rewarding.piece, self.stopping.piece)
        if len(both):
            raise UsageError(
                f"piece {both[0]} is heard both by those that reward and by the one that stops", "split them by piece"
            )
