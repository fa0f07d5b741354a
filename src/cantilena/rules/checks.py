"""Checks the contract of a rule on small lines before it is used.

The reward of a step may depend on that step, on earlier ones and on the length of the melody (`line.length`), but not
on later notes. So the rewards are compared with those for the same melodies with other notes after a step, with other
padding, in another order, and computed a second time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import HOLD, OFF, ON, Key, Line, Meter
from cantilena.rules.rule import Context, Rewards, Rule
from cantilena.runtime import generator, log

SLOW = 20_000
"""Steps a second; a warning is printed for a rule that evaluates fewer."""

_MELODIES, _STEPS = 18, 24
_ARRAYS = ("event", "pitch", "pitch_classes", "length", "chord", "chord_root")


def check_rule(rule: Rule) -> None:
    """Check a rule on small lines, and print a warning if it is slow.

    Raises:
        UsageError: it fails, returns no numbers, changes its line, is not deterministic, or is not causal.

    Examples:
        >>> def next_is_a_note(line, context):
        ...     return np.roll(line.event, -1, axis=1) == 2
        >>> check_rule(Rule.from_function(next_is_a_note))
        Traceback (most recent call last):
        cantilena.errors.UsageError: the rule 'next_is_a_note' depends on later notes: ...
    """
    expected = [_evaluate(rule, trial) for trial in trials()]
    _warn_if_slow(rule)
    for check in (_check_deterministic, _check_independent, _check_causal, _check_padding):
        for trial, rewards in zip(trials(), expected, strict=True):
            check(rule, trial, rewards)


def steps_per_second(rule: Rule) -> float:
    """The number of steps that a rule evaluates in a second, the better of two runs on a small line."""
    trial = next(trial for trial in trials() if trial.what == "a line of notes and rests")
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        rule.rewards(trial.line, trial.context)
        seconds.append(time.perf_counter() - began)
    return trial.line.event.size / max(min(seconds), 1e-9)


@dataclass(frozen=True)
class Trial:
    """A line to check a rule on.

    Args:
        what: its description in error messages.
        line: the line.
        context: its key and bars.
    """

    what: str
    line: Line
    context: Context


def trials() -> tuple[Trial, ...]:
    """Small lines of every kind, the shortest first; always the same.

    Examples:
        >>> [(trial.what, trial.line.event.shape) for trial in trials()][:2]
        [('a line of one step', (3, 1)), ('a line without notes', (4, 16))]
    """
    rng = generator(0, "rule check")
    waltz = Context(Key.parse("D minor"), Meter(3, 4), 12)
    silent = rng.integers(OFF, HOLD + 1, (4, 16))
    grid = _random_melodies(rng)
    padded = replace(grid, length=rng.integers(1, _STEPS, _MELODIES))
    return (
        Trial(
            "a line of one step",
            Line.from_events(np.array([[OFF], [HOLD], [ON]]), np.array([[-1], [-1], [60]])),
            Context(),
        ),
        Trial("a line without notes", Line.from_events(silent, np.full(silent.shape, -1)), Context()),
        Trial("a line of notes and rests", grid, Context()),
        Trial("a line of melodies of different lengths", padded, waltz),
        Trial("a line of chords", _random_chords(rng), Context()),
        Trial("a line over chord symbols", _over_chords(padded, rng), Context()),
    )


def _random_melodies(rng: np.random.Generator) -> Line:
    """Melodies that walk, leap, repeat, hold and rest, in every register."""
    shape = (_MELODIES, _STEPS)
    event = rng.choice([OFF, HOLD, ON], shape, p=[0.1, 0.4, 0.5])
    event[: _MELODIES // 4] = ON
    sizes = np.repeat([0, 1, 3, 7, 14, 40], _MELODIES // 6)[:, None]
    walk = 64 + np.cumsum(np.rint(rng.normal(0, 1, shape) * sizes).astype(np.int64), axis=1)
    walk[-3:] = np.tile(walk[-3:, :8], _STEPS // 8)  # motifs that return
    return Line.from_events(event, np.where(event == ON, np.clip(walk, 0, 127), -1))


def _random_chords(rng: np.random.Generator) -> Line:
    """A note or a chord at every step."""
    shape = (8, 24)
    pitch = rng.integers(36, 97, shape)
    more = (1 << rng.integers(0, 12, shape)) | (1 << rng.integers(0, 12, shape))
    return Line.from_events(np.full(shape, ON), pitch, (1 << pitch % 12) | np.where(rng.random(shape) < 0.5, more, 0))


def _over_chords(line: Line, rng: np.random.Generator) -> Line:
    """The same melodies over major triads, and no chord, that change every few steps."""
    roots = np.repeat(rng.integers(-1, 12, (line.melodies, _STEPS // 3)), 3, axis=1).astype(np.int8)
    triads = sum(1 << (roots.astype(np.int64) + tone) % 12 for tone in (0, 4, 7))
    return replace(line, chord=np.where(roots >= 0, triads, 0).astype(np.int16), chord_root=roots)


def _evaluate(rule: Rule, trial: Trial) -> Rewards:
    """The rewards for a line; checks that they are finite numbers of its shape and that the line is unchanged."""
    copy = _copied(trial.line)
    values = _call(rule, replace(trial, line=copy))
    _check_unchanged(rule, trial, copy)
    shape = trial.line.event.shape
    if values.dtype.kind not in "biuf":
        raise UsageError(
            f"the rule '{rule.name}' did not return numbers for {trial.what}",
            "return one array of numbers, one for each melody and step",
        )
    if values.shape != shape:
        raise UsageError(
            f"the rule '{rule.name}' returned shape {values.shape} for {trial.what} of shape {shape}",
            "return one number for each melody and step: an array of the shape of line.event",
        )
    rewards = np.where(trial.line.valid, values, 0.0)
    if not np.isfinite(rewards).all():
        melody, step = np.argwhere(~np.isfinite(rewards))[0]
        raise UsageError(
            f"the rule '{rule.name}' returned {rewards[melody, step]} at step {step + 1} of {trial.what}",
            "do not divide by 0, and return 0 where the rule does not apply",
        )
    return np.asarray(rewards, dtype=np.float64)


def _call(rule: Rule, trial: Trial) -> NDArray[np.generic]:
    try:
        return np.asarray(rule.function(trial.line, trial.context, **rule.parameters))
    except (Exception, SystemExit) as error:
        message = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise UsageError(
            f"the rule '{rule.name}' fails on {trial.what}{_line_in_rule(rule, error)}: {message}",
            "a line may have a single step, no notes, or padding after its end",
        ) from error


def _line_in_rule(rule: Rule, error: BaseException) -> str:
    """The line of the rule's own file at which an error was raised."""
    code, line, frame = getattr(rule.function, "__code__", None), 0, error.__traceback__
    while code is not None and frame is not None:
        if frame.tb_frame.f_code.co_filename == code.co_filename:
            line = frame.tb_lineno
        frame = frame.tb_next
    return f", at line {line}" if line else ""


def _check_unchanged(rule: Rule, trial: Trial, used: Line) -> None:
    for name in _ARRAYS:
        before, after = getattr(trial.line, name), getattr(used, name)
        if after is before or np.array_equal(before, after):  # both None without chords
            continue
        where = ""
        try:
            rule.function(_copied(trial.line, writeable=False), trial.context, **rule.parameters)
        except Exception as error:
            where = _line_in_rule(rule, error)
        raise UsageError(
            f"the rule '{rule.name}' changes its line in place (line.{name}{where})",
            f"work on a copy: line.{name}.copy()",
        )


def _check_deterministic(rule: Rule, trial: Trial, expected: Rewards) -> None:
    if not _close(_evaluate(rule, trial), expected).all():
        raise UsageError(
            f"the rule '{rule.name}' returns other numbers for the same melodies when called again",
            "use no random numbers, and keep nothing between calls",
        )


def _check_independent(rule: Rule, trial: Trial, expected: Rewards) -> None:
    order = np.arange(trial.line.melodies)[::-2]
    if not _close(_evaluate(rule, replace(trial, line=trial.line[order])), expected[order]).all():
        raise UsageError(
            f"the rule '{rule.name}' makes the rewards of a melody depend on the other melodies",
            "evaluate each row by itself: take sums, means and maxima with axis=1",
        )


def _check_causal(rule: Rule, trial: Trial, expected: Rewards) -> None:
    steps = trial.line.steps
    for known in sorted({1, steps // 2, steps - 1} & set(range(1, steps))):
        changed = replace(trial, line=_replaced_after(trial.line, known, steps))
        same = _close(_evaluate(rule, changed)[:, :known], expected[:, :known])
        if not same.all():
            step = int(np.argwhere(~same)[0][1])
            raise UsageError(
                f"the rule '{rule.name}' depends on later notes: its reward at step {step + 1} changes with the notes "
                f"after step {known}",
                "use a step and those before it; put what needs the whole melody on its last step",
            )


def _check_padding(rule: Rule, trial: Trial, expected: Rewards) -> None:
    changed = replace(trial, line=_replaced_after(trial.line, trial.line.length[:, None], 2 * trial.line.steps))
    if not _close(_evaluate(rule, changed)[:, : trial.line.steps], expected).all():
        raise UsageError(
            f"the rule '{rule.name}' depends on the padding after the end of a melody",
            "line.length is where each melody ends; line.valid is true up to there",
        )


def _warn_if_slow(rule: Rule) -> None:
    speed = steps_per_second(rule)
    if speed < SLOW:
        log(
            f"The rule '{rule.name}' is slow: about {float(f'{speed:.1g}'):,.0f} steps a second, and tuning waits for "
            "it. Work on all melodies at once with numpy instead of loops."
        )


def _close(one: Rewards, other: Rewards) -> NDArray[np.bool_]:
    """Equal up to the rounding of sums in another order."""
    return np.isclose(one, other, rtol=1e-6, atol=1e-9)


def _copied(line: Line, *, writeable: bool = True) -> Line:
    """The line in arrays of its own; a rule that writes into read-only ones fails at that line."""
    copy = line[np.arange(line.melodies)]
    for name in _ARRAYS:
        if getattr(copy, name) is not None:
            getattr(copy, name).setflags(write=writeable)
    return copy


def _replaced_after(line: Line, kept: NDArray[np.integer] | int, steps: int) -> Line:
    """The same melodies, where after `kept` steps each continues as another one; the lengths stay.

    Args:
        line: the melodies.
        kept: the number of unchanged steps, `(melodies, 1)`, or one for all.
        steps: the number of steps of the new line, at most twice as many.
    """
    is_kept = np.arange(steps) < kept

    def replaced(values: NDArray[Any]) -> NDArray[Any]:
        others = np.roll(values, 1, axis=0)
        return np.where(is_kept, *(np.concatenate([part, others], axis=1)[:, :steps] for part in (values, others)))

    other = Line.from_events(replaced(line.event), replaced(line.pitch), replaced(line.pitch_classes), line.length)
    if line.chord is None or line.chord_root is None:
        return other
    return replace(other, chord=replaced(line.chord), chord_root=replaced(line.chord_root))
