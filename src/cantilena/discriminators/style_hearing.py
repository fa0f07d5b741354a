"""What the listener to styles hears: melodies of one length with their bars, or with no bars at all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators.examples import as_heard
from cantilena.discriminators.features import musical_features
from cantilena.music import Line
from cantilena.rules import Notes

OF_BARS = ("places", "returns", "meter")
"""The musical features that ask where bars begin."""

_LONGEST_BAR = 24
"""Steps of a bar whose places are told apart, as in 3/2; what lies beyond counts as the last."""


@dataclass(frozen=True)
class StyleExamples:
    """Melodies whose styles are to be told.

    Args:
        line: all of one length.
        steps_per_bar: `(melodies,)`: the bars of each; None where bars shall not be heard, so that a meter gives
            nothing away.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> line = GridEncoding().line(np.array([[14, 16, 1, 18], [14, 1, 1, 1]]))
        >>> with_bars, without = StyleExamples(line, np.array([4, 3])), StyleExamples(line)
        >>> len(with_bars), with_bars.features.shape[1] - without.features.shape[1]
        (2, 38)
    """

    line: Line
    steps_per_bar: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return self.line.melodies

    def __getitem__(self, rows: Any) -> StyleExamples:  # noqa: ANN401  (whatever numpy takes as an index)
        """Some of the melodies; what was heard in them is not heard anew."""
        some = StyleExamples(self.line[rows], None if self.steps_per_bar is None else self.steps_per_bar[rows])
        if "features" in self.__dict__:
            some.__dict__["features"] = self.features[rows]
        return some

    @cached_property
    def notes(self) -> Notes:
        """Their notes."""
        return Notes.of(self.line)

    @cached_property
    def features(self) -> NDArray[np.float64]:
        """Their musical features, `(melodies, numbers)`: each melody by its own bars, or without `OF_BARS`."""
        heard = as_heard(self.line)
        if self.steps_per_bar is None:
            return _joined({name: some for name, some in musical_features(heard).items() if name not in OF_BARS})
        bars, which = np.unique(self.steps_per_bar, return_inverse=True)
        parts = [(which == number, heard[which == number], int(bar)) for number, bar in enumerate(bars)]
        found = [(rows, _joined(_equally_wide(musical_features(some, bar)))) for rows, some, bar in parts]
        features = np.zeros((len(self), found[0][1].shape[1] if found else 0))
        for rows, some in found:
            features[rows] = some
        return features


def _equally_wide(features: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """The same with as many places in every bar."""
    places = features["places"]
    first, beyond = places[:, : _LONGEST_BAR - 1], places[:, _LONGEST_BAR - 1 :]
    wide = np.zeros((len(places), _LONGEST_BAR))
    wide[:, : first.shape[1]], wide[:, -1] = first, beyond.sum(axis=1)
    return {**features, "places": wide}


def _joined(features: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(list(features.values()), axis=1)
