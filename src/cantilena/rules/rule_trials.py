"""Small lines of every kind to try a rule on, and the ways to change them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cantilena.music import HOLD, OFF, ON, Key, Line, Meter
from cantilena.rules.context import Context
from cantilena.runtime import generator

_MELODIES, _STEPS = 18, 24


@dataclass(frozen=True)
class Trial:
    """A line to try a rule on.

    Args:
        what: what it is, as a user would say it.
        line: the line.
        context: its key and bars.
    """

    what: str
    line: Line
    context: Context


def trials() -> tuple[Trial, ...]:
    """Lines of every kind that a rule meets, the shortest first; always the same.

    Example:
        >>> [(trial.what, trial.line.event.shape) for trial in trials()][:2]
        [('a line of one step', (3, 1)), ('a line without notes', (4, 16))]
    """
    rng = generator(0, "rule check")
    waltz = Context(Key.parse("D minor"), Meter(3, 4), 12)
    silent = rng.integers(OFF, HOLD + 1, (4, 16))
    grid = _grid(rng)
    padded = replace(grid, length=rng.integers(1, _STEPS, _MELODIES))
    return (
        Trial("a line of one step", Line.of(np.array([[OFF], [HOLD], [ON]]), np.array([[-1], [-1], [60]])), Context()),
        Trial("a line without notes", Line.of(silent, np.full(silent.shape, -1)), Context()),
        Trial("a line of notes and rests", grid, Context()),
        Trial("a line of melodies of different lengths", padded, waltz),
        Trial("a line of chords", _chords(rng), Context()),
    )


def copied(line: Line, *, writeable: bool = True) -> Line:
    """The line in arrays of its own; a rule that writes into those that are not writeable fails at once."""
    copies = Line(line.event.copy(), line.pitch.copy(), line.pitch_classes.copy(), line.length.copy())
    for array in (copies.event, copies.pitch, copies.pitch_classes, copies.length):
        array.setflags(write=writeable)
    return copies


def rows(line: Line, which: NDArray[np.integer]) -> Line:
    """Some of its melodies, in that order."""
    return Line.of(line.event[which], line.pitch[which], line.pitch_classes[which], line.length[which])


def turned(line: Line) -> Line:
    """The same melodies, each in the place of the next."""
    return rows(line, np.roll(np.arange(line.melodies), 1))


def with_other_future(line: Line, known: int) -> Line:
    """After so many steps each melody goes on as another; the lengths stay."""
    others = turned(line)
    return Line.of(
        np.concatenate([line.event[:, :known], others.event[:, known:]], axis=1),
        np.concatenate([line.pitch[:, :known], others.pitch[:, known:]], axis=1),
        np.concatenate([line.pitch_classes[:, :known], others.pitch_classes[:, known:]], axis=1),
        line.length,
    )


def with_other_padding(line: Line) -> Line:
    """After the end of each melody stands another one, for twice as many steps; the lengths stay."""
    others = turned(line)
    is_own = np.arange(2 * line.steps) < line.length[:, None]

    def joined(own: NDArray[np.integer], other: NDArray[np.integer]) -> NDArray[np.integer]:
        return np.where(is_own, np.concatenate([own, other], axis=1), np.concatenate([other, other], axis=1))

    return Line.of(
        joined(line.event, others.event),
        joined(line.pitch, others.pitch),
        joined(line.pitch_classes, others.pitch_classes),
        line.length,
    )


def _grid(rng: np.random.Generator) -> Line:
    """Melodies that walk, leap, repeat, hold and rest, in every register."""
    shape = (_MELODIES, _STEPS)
    event = rng.choice([OFF, HOLD, ON], shape, p=[0.1, 0.4, 0.5])
    event[: _MELODIES // 4] = ON
    sizes = np.repeat([0, 1, 3, 7, 14, 40], _MELODIES // 6)[:, None]
    walk = 64 + np.cumsum(np.rint(rng.normal(0, 1, shape) * sizes).astype(np.int64), axis=1)
    walk[-3:] = np.tile(walk[-3:, :8], _STEPS // 8)  # motifs that return
    return Line.of(event, np.where(event == ON, np.clip(walk, 0, 127), -1))


def _chords(rng: np.random.Generator) -> Line:
    """A note or a chord at every step."""
    shape = (8, 24)
    pitch = rng.integers(36, 97, shape)
    more = (1 << rng.integers(0, 12, shape)) | (1 << rng.integers(0, 12, shape))
    return Line.of(np.full(shape, ON), pitch, (1 << pitch % 12) | np.where(rng.random(shape) < 0.5, more, 0))
