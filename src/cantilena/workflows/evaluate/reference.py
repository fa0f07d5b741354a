"""The model that says how probable melodies are, whoever made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.data import semitones_to_plain
from cantilena.generation import Composer
from cantilena.metrics import RuleCounts
from cantilena.models import Bars, Bundle, Sequences, find_bundle, likelihood
from cantilena.music import ON
from cantilena.tokenizers import GridEncoding
from cantilena.workflows.evaluate.melody_sets import GRID, JudgedTune


@dataclass(frozen=True)
class Reference:
    """A model before tuning.

    Args:
        name: of its bundle.
        composer: its prior and its encoding.
    """

    name: str
    composer: Composer

    @classmethod
    def open(cls, name_or_path: str) -> Reference:
        """The prior of a bundle.

        Raises:
            BundleError: there is none, or it cannot be read.
        """
        return cls(name_or_path, Composer.of(Bundle.load(find_bundle(name_or_path))))

    def counts(self, tunes: Sequence[JudgedTune]) -> RuleCounts:
        """`log_likelihood_per_step` of each melody, nats over steps.

        Each is moved to the key that the model thinks in, and notes outside its range by octaves.
        """
        nats, steps = np.zeros(len(tunes)), np.zeros(len(tunes))
        tokens = [self._tokens(tune) for tune in tunes]
        kept = [row for row, some in enumerate(tokens) if len(some)]
        if kept:
            bars = Bars(
                np.array([tunes[row].context.steps_per_bar for row in kept], dtype=np.int64),
                np.zeros(len(kept), dtype=np.int64),
            )
            found = likelihood(self.composer.prior, Sequences(tuple(tokens[row] for row in kept), bars))
            nats[kept], steps[kept] = -found.nats, found.steps
        return RuleCounts({"log_likelihood_per_step": nats}, {"log_likelihood_per_step": steps})

    def _tokens(self, tune: JudgedTune) -> NDArray[np.int64]:
        """What the model would have said to play a melody, in its own key."""
        encoding = self.composer.encoding
        if not isinstance(encoding, GridEncoding) or encoding.step_ticks != GRID.step_ticks:
            return encoding.encode(tune.melody())
        begins = tune.tokens >= ON
        pitches = tune.tokens[begins] - ON
        if self.composer.plain_keys and len(pitches):
            pitches = pitches + semitones_to_plain(pitches, tune.key, low=encoding.low, high=encoding.high)
        tokens = tune.tokens.copy()
        tokens[begins] = [encoding.fold(int(pitch)) - encoding.low + ON for pitch in pitches]
        return tokens
