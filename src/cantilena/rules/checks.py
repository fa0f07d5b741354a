"""Does a rule keep the contract? It is tried on small lines before anybody tunes with it.

A rule answers for each step from that step and the steps before it; it may know how long the melody is, as `length`
says, but not which notes are still to come. So its answers are compared with those for the same melodies with other
notes after a step, with other padding after their ends, in another order, and asked a second time.

Small lines of every kind to try a rule on, and the ways to change them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import HOLD, OFF, ON, Key, Line, Meter
from cantilena.rules.rule import Context, Rewards, Rule
from cantilena.runtime import generator, say

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


SLOW = 20_000
"""Steps a second; a rule that judges fewer is told to be slow."""


def check_rule(rule: Rule) -> None:
    """Try a rule on small lines, and say on stderr if it is slow.

    Args:
        rule: the rule.

    Raises:
        UsageError: it fails, gives no numbers, changes its line, is not repeatable, or looks where it must not.

    Example:
        >>> def next_is_a_note(line, context):
        ...     return np.roll(line.event, -1, axis=1) == 2
        >>> check_rule(Rule.from_function(next_is_a_note))
        Traceback (most recent call last):
        cantilena.errors.UsageError: the rule 'next_is_a_note' looks into the future: ...
    """
    answers = [_answer(rule, trial) for trial in trials()]
    _tell_if_slow(rule)
    for check in (_check_repeatable, _check_singly, _check_future, _check_padding):
        for trial, answer in zip(trials(), answers, strict=True):
            check(rule, trial, answer)


def steps_per_second(rule: Rule) -> float:
    """How many steps a rule judges in a second, the best of two small lines."""
    trial = next(trial for trial in trials() if trial.what == "a line of notes and rests")
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        rule.rewards(trial.line, trial.context)
        seconds.append(time.perf_counter() - began)
    return trial.line.event.size / max(min(seconds), 1e-9)


def _answer(rule: Rule, trial: Trial) -> Rewards:
    """What the rule gives for a line, if it gives finite numbers of the right shape and leaves the line as it is."""
    kept = copied(trial.line)
    given = _judged(rule, replace(trial, line=kept))
    _check_unchanged(rule, trial, kept)
    kind, shape = given.dtype.kind, trial.line.event.shape
    if kind not in "biuf":
        raise UsageError(
            f"the rule '{rule.name}' gave something else than numbers for {trial.what}",
            "return one array of numbers, one for each melody and step",
        )
    if given.shape != shape:
        raise UsageError(
            f"the rule '{rule.name}' gave numbers of shape {given.shape} for {trial.what}, which has the shape {shape}",
            "return one number for each melody and step: an array of the shape of line.event",
        )
    rewards = np.where(trial.line.valid, given, 0.0)
    if not np.isfinite(rewards).all():
        melody, step = np.argwhere(~np.isfinite(rewards))[0]
        raise UsageError(
            f"the rule '{rule.name}' gave {rewards[melody, step]} at step {step + 1} of {trial.what}",
            "divide only by what is not 0, and give 0 where the rule says nothing",
        )
    return np.asarray(rewards, dtype=np.float64)


def _judged(rule: Rule, trial: Trial) -> NDArray[np.generic]:
    try:
        return np.asarray(rule.judge(trial.line, trial.context, **rule.parameters))
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise UsageError(
            f"the rule '{rule.name}' fails on {trial.what}{_where(rule, error)}: {said}",
            "a line may have a single step, no notes, or steps that do not count after its end",
        ) from error


def _where(rule: Rule, error: BaseException) -> str:
    """The line of the rule's own file at which it failed."""
    code, line, frame = getattr(rule.judge, "__code__", None), 0, error.__traceback__
    while code is not None and frame is not None:
        if frame.tb_frame.f_code.co_filename == code.co_filename:
            line = frame.tb_lineno
        frame = frame.tb_next
    return f", at line {line}" if line else ""


def _check_unchanged(rule: Rule, trial: Trial, used: Line) -> None:
    for name in ("event", "pitch", "pitch_classes", "length"):
        if np.array_equal(getattr(trial.line, name), getattr(used, name)):
            continue
        where = ""
        try:
            rule.judge(copied(trial.line, writeable=False), trial.context, **rule.parameters)
        except Exception as error:
            where = _where(rule, error)
        raise UsageError(
            f"the rule '{rule.name}' changes the line that it judges (line.{name}{where})",
            f"work on a copy: line.{name}.copy()",
        )


def _check_repeatable(rule: Rule, trial: Trial, answer: Rewards) -> None:
    if not _same(_answer(rule, trial), answer).all():
        raise UsageError(
            f"the rule '{rule.name}' gives other numbers when it is asked about the same melodies again",
            "use no random numbers, and keep nothing between calls",
        )


def _check_singly(rule: Rule, trial: Trial, answer: Rewards) -> None:
    order = np.arange(trial.line.melodies)[::-2]
    asked = replace(trial, line=rows(trial.line, order))
    if not _same(_answer(rule, asked), answer[order]).all():
        raise UsageError(
            f"the rule '{rule.name}' judges a melody by the others that are judged with it",
            "judge each row for itself: take sums, means and maxima with axis=1",
        )


def _check_padding(rule: Rule, trial: Trial, answer: Rewards) -> None:
    asked = replace(trial, line=with_other_padding(trial.line))
    if not _same(_answer(rule, asked)[:, : trial.line.steps], answer).all():
        raise UsageError(
            f"the rule '{rule.name}' looks at what stands after the end of a melody, which does not count",
            "line.length says where each melody ends; line.valid is true up to there",
        )


def _check_future(rule: Rule, trial: Trial, answer: Rewards) -> None:
    steps = trial.line.steps
    for known in sorted({1, steps // 2, steps - 1} & set(range(1, steps))):
        asked = replace(trial, line=with_other_future(trial.line, known))
        same = _same(_answer(rule, asked)[:, :known], answer[:, :known])
        if not same.all():
            step = int(np.argwhere(~same)[0][1])
            raise UsageError(
                f"the rule '{rule.name}' looks into the future: what it gives at step {step + 1} changes with the "
                f"notes after step {known}",
                "judge a step by itself and those before it; what needs the whole melody is said at its last step",
            )


def _tell_if_slow(rule: Rule) -> None:
    speed = steps_per_second(rule)
    if speed < SLOW:
        say(
            f"The rule '{rule.name}' is slow: it judges about {float(f'{speed:.1g}'):,.0f} steps a second, and tuning "
            "waits for it. Work on all melodies at once with numpy instead of loops."
        )


def _same(one: Rewards, other: Rewards) -> NDArray[np.bool_]:
    """Equal up to the rounding of sums that are taken in another order."""
    return np.isclose(one, other, rtol=1e-6, atol=1e-9)
