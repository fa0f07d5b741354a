"""A reward for having notes as often as people have them: over the set of melodies, not in each of them.

Each note is described by ids: what a critic reads of it, a row of its table for each column (the interval, the
duration, the place in the bar, what it repeats ..), and pairs of intervals, of durations, of an interval with the
duration, and with the place in the beat. Melodies are of kinds, such as meters, whose frequencies differ. With P the
frequency of an id in people's notes and Q that in the policy's, both in all melodies and in those of kind k,

    r_k(note) = sum of lambda + lambda_k over its ids
    lambda += rate log (P + e) / (Q + e) - forgetting lambda      after each batch

and the same for lambda_k with the frequencies in its kind, each within a bound. That is the ascent of the dual of: stay
as near to the model as possible, with people's frequencies (A. Berger et al., A Maximum Entropy Approach to Natural
Language Processing, 1996; M. Khalifa et al., A Distributional Approach to Controlled Text Generation, ICLR 2021), up to
an error that forgetting allows, as a Gaussian prior of lambda does (S. Chen and R. Rosenfeld, A Gaussian Prior for
Smoothing Maximum Entropy Models, 1999): otherwise the noise of the counts adds up. A melody with extremes is as welcome
as people's are frequent.
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
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_INTERVAL, _DURATION, _BEAT = 2, 5, 9
"""Columns of the last interval, the last duration (each before the next to last one) and the place in the beat."""

_SMOOTHING, _OWN_SMOOTHING = 20.0, 100.0
"""Notes that are added to both counts, e times the number of notes: of all melodies, and of those of a kind."""
_FORGETTING = 0.03
_DECAY = 0.9
"""What the count of the policy's notes keeps from batch to batch."""
_BOUND = 1.5
"""Largest magnitude of a lambda, nats."""


class NoteMatching:
    """The reward.

    Args:
        encoding: of the melodies.
        people: for each melody of people `(notes, columns)` rows, from `critic_rows`.
        kinds: `(melodies,)`: the kind of each, from 0.
        rate: of the updates; about one in the number of columns.

    Examples:
        >>> features = critic_features(NotesEncoding())
        >>> low = np.tile(features.offsets[: features.columns], (40, 1))
        >>> high = low + (np.arange(features.columns) == 1)  # another pitch sounds
        >>> zero = np.zeros(40, dtype=np.int64)
        >>> matching = NoteMatching(NotesEncoding(), [high], zero[:1], rate=0.02)
        >>> matching.update([low], zero[:1])
        0.0204...
        >>> bool(matching.rewards(high, zero).mean() > matching.rewards(low, zero).mean())
        True
    """

    def __init__(self, encoding: NotesEncoding, people: Sequence[Rows], kinds: Ints, rate: float = 0.015) -> None:
        features, self.rate = critic_features(encoding), rate
        self._offsets, self._durations = features.offsets[: features.columns], len(encoding.durations) + 2
        sizes = [INTERVALS**2, self._durations**2, INTERVALS * self._durations, INTERVALS * BEATS]
        self._starts = np.cumsum([features.rows, *sizes])
        self._kinds = int(kinds.max()) + 1
        people_counts, notes = self._count(people, kinds)
        self._people = people_counts / np.maximum(notes, 1.0)
        self._policy, self._notes = np.zeros_like(people_counts), np.zeros_like(notes)
        self.weights = np.zeros(people_counts.shape)
        """Lambda + lambda_k, nats, by kind and id."""
        self._shared = np.zeros(people_counts.shape[1])

    def rewards(self, rows: Rows, kinds: Ints) -> NDArray[np.float64]:
        """`(notes,)` nats, for `(notes, columns)` rows of melodies of `(notes,)` kinds."""
        return np.asarray(self.weights[kinds[:, None], self._ids(rows)].sum(axis=1))

    def update(self, melodies: Sequence[Rows], kinds: Ints) -> float:
        """Count new melodies of the policy, of `(melodies,)` kinds, and change the reward.

        Returns:
            How far the frequencies are from people's: total variation, the mean over the columns and pairs.
        """
        counts, notes = self._count(melodies, kinds)
        self._policy, self._notes = _DECAY * self._policy + counts, _DECAY * self._notes + notes
        expected = self._people * self._notes
        own = self._moved(self.weights - self._shared, expected, self._policy, _OWN_SMOOTHING)
        self._shared = self._moved(self._shared, expected.sum(0), self._policy.sum(0), _SMOOTHING)
        self.weights = self._shared + own
        sets = len(self._offsets) + len(self._starts) - 1
        return float(np.abs(expected.sum(0) - self._policy.sum(0)).sum() / self._notes.sum() / 2 / sets)

    def state(self) -> dict[str, Tensor]:
        """The weights and the counts of the policy's notes, as tensors by name."""
        parts = {"weights": self.weights, "shared": self._shared, "policy": self._policy, "notes": self._notes}
        return {name: torch.from_numpy(part) for name, part in parts.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self.weights, self._shared = state["weights"].numpy(), state["shared"].numpy()
        self._policy, self._notes = state["policy"].numpy(), state["notes"].numpy()

    def _moved(self, weights: Floats, expected: Floats, counted: Floats, smoothing: float) -> Floats:
        """Lambda after a batch, for the counts that are expected and those of the policy."""
        step = self.rate * np.log((expected + smoothing) / (counted + smoothing))
        return np.asarray(((1.0 - _FORGETTING) * weights + step).clip(-_BOUND, _BOUND))

    def _count(self, melodies: Sequence[Rows], kinds: Ints) -> tuple[Floats, Floats]:
        """`(kinds, ids)` counts, and `(kinds, 1)` notes."""
        counts, notes = np.zeros((self._kinds, self._starts[-1])), np.zeros((self._kinds, 1))
        for kind in range(self._kinds):
            rows = [melodies[number] for number in np.flatnonzero(kinds == kind).tolist()]
            if rows:
                counts[kind] = np.bincount(self._ids(np.concatenate(rows)).ravel(), minlength=self._starts[-1])
                notes[kind] = sum(map(len, rows))
        return counts, notes

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
