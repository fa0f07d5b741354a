"""A reward for having notes as often as people have them: over the set of melodies, not in each of them.

Each note is described by ids: what a critic reads of it, a row of its table for each column (the interval, the
duration, the place in the bar, what it repeats ..), and pairs of intervals, of durations, of an interval with the
duration, and with the place in the beat. With P the frequency of an id in people's notes and Q that in the policy's,

    r(note) = sum of lambda over its ids,      lambda += rate log (P + e) / (Q + e)      after each batch

within a bound. That is the ascent of the dual of: stay as near to the model as possible, with people's frequencies (A.
Berger et al., A Maximum Entropy Approach to Natural Language Processing, 1996; M. Khalifa et al., A Distributional
Approach to Controlled Text Generation, ICLR 2021). Once frequencies agree, the reward stands still; a melody with
extremes is as welcome as people's are frequent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cantilena.models import critic_features
from cantilena.models.network.note_features import BEATS, INTERVALS
from cantilena.tokenizers import NotesEncoding

Rows = NDArray[np.integer]

_INTERVAL, _DURATION, _BEAT = 2, 5, 9
"""Columns of the last interval, the last duration (each before the next to last one) and the place in the beat."""

_SMOOTHING = 20.0
"""Notes that are added to both counts: e times the number of notes."""
_DECAY = 0.9
"""What the count of the policy's notes keeps from batch to batch."""
_BOUND = 1.5
"""Largest magnitude of a lambda, nats."""


class NoteMatching:
    """The reward.

    Args:
        encoding: of the melodies.
        people: for each melody of people `(notes, columns)` rows, from `critic_rows`.
        rate: of the updates; about one in the number of columns.

    Examples:
        >>> features = critic_features(NotesEncoding())
        >>> low = np.tile(features.offsets[: features.columns], (40, 1))
        >>> high = low + (np.arange(features.columns) == 1)  # another pitch sounds
        >>> matching = NoteMatching(NotesEncoding(), [high], rate=0.02)
        >>> matching.update([low])
        0.0204...
        >>> bool(matching.rewards(high).mean() > matching.rewards(low).mean())
        True
    """

    def __init__(self, encoding: NotesEncoding, people: Sequence[Rows], rate: float = 0.015) -> None:
        features, self.rate = critic_features(encoding), rate
        self._offsets, self._durations = features.offsets[: features.columns], len(encoding.durations) + 2
        sizes = [INTERVALS**2, self._durations**2, INTERVALS * self._durations, INTERVALS * BEATS]
        self._starts = np.cumsum([features.rows, *sizes])
        self._people, self._notes_of_people = self._count(people)
        self._policy, self._notes_of_policy = np.zeros(len(self._people)), 0.0
        self.weights = np.zeros(len(self._people))
        """Lambda, nats, by id."""

    def rewards(self, rows: Rows) -> NDArray[np.float64]:
        """`(notes,)` nats, for `(notes, columns)` rows."""
        return np.asarray(self.weights[self._ids(rows)].sum(axis=1))

    def update(self, melodies: Sequence[Rows]) -> float:
        """Count new melodies of the policy and change the reward.

        Returns:
            How far the frequencies are from people's: total variation, the mean over the columns and pairs.
        """
        counts, notes = self._count(melodies)
        self._policy = _DECAY * self._policy + counts
        self._notes_of_policy = _DECAY * self._notes_of_policy + notes
        expected = self._people * self._notes_of_policy / self._notes_of_people
        step = self.rate * np.log((expected + _SMOOTHING) / (self._policy + _SMOOTHING))
        self.weights = np.clip(self.weights + step, -_BOUND, _BOUND)
        kinds = len(self._offsets) + len(self._starts) - 1
        return float(np.abs(expected - self._policy).sum() / self._notes_of_policy / 2 / kinds)

    def state(self) -> dict[str, Tensor]:
        """The weights and the counts of the policy's notes, as tensors by name."""
        notes = np.array(self._notes_of_policy, dtype=np.float64)
        parts = {"weights": self.weights, "policy": self._policy, "notes": notes}
        return {name: torch.from_numpy(part) for name, part in parts.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self.weights, self._policy = state["weights"].numpy(), state["policy"].numpy()
        self._notes_of_policy = float(state["notes"])

    def _count(self, melodies: Sequence[Rows]) -> tuple[NDArray[np.float64], int]:
        rows = np.concatenate(melodies)
        return np.bincount(self._ids(rows).ravel(), minlength=self._starts[-1]).astype(np.float64), len(rows)

    def _ids(self, rows: Rows) -> NDArray[np.int64]:
        """`(notes, columns and pairs)`."""
        rows = rows.astype(np.int64)
        own = rows - self._offsets
        interval, duration = own[:, _INTERVAL], own[:, _DURATION]
        pairs = (
            interval * INTERVALS + own[:, _INTERVAL + 1],
            duration * self._durations + own[:, _DURATION + 1],
            interval * self._durations + duration,
            interval * BEATS + own[:, _BEAT],
        )
        return np.column_stack([rows, np.stack(pairs, axis=1) + self._starts[:-1]])
