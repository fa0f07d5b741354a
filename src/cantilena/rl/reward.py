"""The reward of the rules, r_MT / c.

The paper (section VIII.C): r(s, a) = log p(a given s) + r_MT(a, s) / c. The learner adds log p.

Rules judge each step of the line. On the grid a token is a step. Of the encoding `notes` a note gets the sum of the
rewards of the steps from its onset to the next onset, at its last token: only then is it known what sounds there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.models import Bars, bars_for_encoding
from cantilena.music import ChordTrack
from cantilena.rules import Context, RuleSet
from cantilena.tokenizers import END, Encoding, NotesEncoding


@dataclass(frozen=True)
class MusicReward:
    """A rule set as a reward.

    Args:
        encoding: defines the tokens.
        rules: the rules with their weights; those that need chords are left out, unless there are any.
        context: key and meter of the rules.
        c: divisor of the rules' rewards.
        clip: maximum magnitude of a rule's reward at a step, so that a reward of -100 does not dominate.
        over_chords: whether some melodies are composed over chords.

    Raises:
        UsageError: all rules need chords.
    """

    encoding: Encoding
    rules: RuleSet
    context: Context
    c: float
    clip: float
    over_chords: bool = False

    def __post_init__(self) -> None:
        rules = self.rules if self.over_chords else self.rules.without_chords()
        if self.rules.rules and not rules.rules:
            raise UsageError(
                f"the rules of {self.rules.name} need chords, and melodies are tuned without",
                "name other rules, too",
            )
        object.__setattr__(self, "rules", rules)

    def bars(self, melodies: int, steps: int = 0) -> Bars | None:
        """The bars of melodies in the meter and key of the reward; None if tokens have no duration.

        A model of notes is told that the melodies have so many steps; 0 does not tell it.
        """
        length = steps * self.encoding.ticks_per_step
        return bars_for_encoding(self.context.meter, melodies, self.encoding, self.context.key, length)

    def terms(self, tokens: NDArray[np.int64], chords: Sequence[ChordTrack] = ()) -> dict[str, NDArray[np.float64]]:
        """The weighted reward of each rule, neither clipped nor divided by c.

        Args:
            tokens: `(melodies, tokens)`.
            chords: over which the melodies are; none for no chords.

        Returns:
            `(melodies, steps)` by rule, of each step of the line, which of the grid is a token.
        """
        line = self.encoding.line(tokens)
        line = line.with_chords(chords, self.encoding.ticks_per_step) if chords else line
        return self.rules.rewards(line, self.context)

    def by_token(self, values: NDArray[Any], tokens: NDArray[np.int64]) -> NDArray[Any]:
        """The `(melodies, steps)` values of the steps of the line as those of `(melodies, tokens)` tokens."""
        if not isinstance(self.encoding, NotesEncoding):
            return values
        return sum_by_token(values, token_of_steps(self.encoding, tokens, values.shape[1]), tokens.shape[1])

    def clipped(self, terms: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float32]:
        """The sum of the clipped terms, `(melodies, steps)`, not divided by c."""
        return np.asarray(sum(np.clip(term, -self.clip, self.clip) for term in terms.values()), dtype=np.float32)

    def scaled(self, terms: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float32]:
        """r_MT / c: the sum of the clipped terms divided by c, `(melodies, steps)`."""
        return np.asarray(self.clipped(terms) / self.c, dtype=np.float32)


def end_token(encoding: Encoding) -> int | None:
    """The token after which a melody has ended, with which shorter ones are padded; None if all are equally long."""
    return END if isinstance(encoding, NotesEncoding) else None


def most_tokens(encoding: Encoding, steps: int) -> int:
    """The number of tokens of a melody of so many steps, at most.

    Examples:
        >>> most_tokens(NotesEncoding(), 2)  # 12 notes of a tick
        24
    """
    if not isinstance(encoding, NotesEncoding):
        return steps
    return steps * encoding.ticks_per_step // encoding.durations[0] * len(encoding.parts)


def token_places(encoding: Encoding, tokens: NDArray[np.int64], steps: int) -> NDArray[np.int64]:
    """The step of the line at which the note of each token begins: `(melodies, tokens)`, `steps` for the token `end`.

    Several notes can begin at one step, whose last is the one in the line.

    Args:
        encoding: of the tokens.
        tokens: `(melodies, tokens)`.
        steps: of the line, of which each melody fills all.

    Examples:
        >>> notes = NotesEncoding()
        >>> quarter, sixteenth = notes.vocabulary.index("1/4"), notes.vocabulary.index("1/16")
        >>> token_places(notes, np.array([[quarter, 17, sixteenth, 19, 0, 0]]), steps=5).tolist()
        [[0, 0, 4, 4, 5, 5]]
    """
    if not isinstance(encoding, NotesEncoding):
        return np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape)
    per_step = encoding.ticks_per_step
    place = np.minimum((encoding.ticks(tokens) + per_step // 2) // per_step, max(steps - 1, 0))
    return np.where(tokens == END, steps, place)


def token_of_steps(encoding: NotesEncoding, tokens: NDArray[np.int64], steps: int) -> NDArray[np.int64]:
    """The token that gets the reward of each step of the line: `(melodies, steps)`, the last of a note.

    Args:
        encoding: of the tokens.
        tokens: `(melodies, tokens)`.
        steps: of the line, of which each melody fills all.

    Examples:
        >>> notes = NotesEncoding()
        >>> quarter, sixteenth = notes.vocabulary.index("1/4"), notes.vocabulary.index("1/16")
        >>> token_of_steps(notes, np.array([[quarter, 17, sixteenth, 19, 0, 0]]), steps=5).tolist()
        [[1, 1, 1, 1, 3]]
    """
    period = len(encoding.parts)
    place = token_places(encoding, tokens, steps)[:, period - 1 :: period]
    rows = np.arange(len(tokens))[:, None]
    begun = np.bincount((rows * (steps + 1) + place).ravel(), minlength=len(tokens) * (steps + 1))
    note = begun.reshape(len(tokens), steps + 1)[:, :steps].cumsum(axis=1) - 1
    return np.asarray(np.maximum(note, 0) * period + period - 1, dtype=np.int64)


def sum_by_token(values: NDArray[Any], token: NDArray[np.int64], tokens: int) -> NDArray[Any]:
    """Sum `(melodies, steps)` values of steps by the tokens that get them.

    Args:
        values: of each step.
        token: `(melodies, steps)`: the token that gets the value of each.
        tokens: number of tokens.

    Returns:
        `(melodies, tokens)` sums of the type of the values.

    Examples:
        >>> sum_by_token(np.array([[1.0, 2.0, 4.0]]), np.array([[1, 1, 3]]), tokens=4).tolist()
        [[0.0, 3.0, 0.0, 4.0]]
    """
    cells = np.arange(len(values))[:, None] * tokens + token
    sums = np.bincount(cells.ravel(), weights=values.ravel(), minlength=len(values) * tokens)
    return sums.reshape(len(values), tokens).astype(values.dtype)


def padded_together(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """One array of `(melodies, tokens)` tokens of several, whose rows are padded with `end`.

    Examples:
        >>> padded_together([np.array([[3, 20]]), np.array([[2, 17, 2, 18]])]).tolist()
        [[3, 20, 0, 0], [2, 17, 2, 18]]
    """
    rows, longest = sum(len(part) for part in parts), max(part.shape[1] for part in parts)
    padded, first = np.full((rows, longest), END, dtype=np.result_type(*parts)), 0
    for part in parts:
        padded[first : first + len(part), : part.shape[1]] = part
        first += len(part)
    return padded
