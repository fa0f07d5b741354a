"""Damaged scores are read or refused with a reason, and quickly: what `scripts/fuzz_readers.py` does at length."""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from cantilena.errors import ScoreError
from cantilena.io import read_score

COUNT = 60
"""Scores of each format."""

SECONDS = 2
"""The time limit of one score, which a loop that does not end exceeds."""


@pytest.fixture(scope="module")
def damaged():
    """The generator, and the scores that it damages."""
    spec = importlib.util.spec_from_file_location(
        "damaged_scores", Path(__file__).parents[2] / "scripts" / "damaged_scores.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.damaged, module.small_scores()


@pytest.fixture
def guard() -> Iterator[None]:
    """Fail a test instead of waiting for ever."""

    def stop(*_: object) -> None:
        raise AssertionError(f"a score takes longer than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("suffix", [".abc", ".musicxml", ".mxl", ".krn"])
def test_damaged_scores(damaged, guard, tmp_path, suffix):
    draw, scores = damaged
    read, reasons = 0, []
    for number, (_, content) in enumerate(draw(scores, [suffix], 1, COUNT, 4096)):
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(content)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            found = read_score(path)
        except ScoreError as error:
            reasons.append(error.text)
            continue
        read += 1
        for score in found:
            check(score, number)
    assert read
    assert all(reason and "\n" not in reason for reason in reasons)


def check(score, number):
    """Whatever was read has times in order and pitches in range."""
    assert score.parts or score.error, number
    assert all(before.end == after.start for before, after in pairwise(score.bars)), number
    for times in (score.chords, score.meters, score.keys, score.tempos):
        ticks = [tick for tick, *_ in times]
        assert ticks == sorted(ticks), number
    for part in score.parts:
        assert len(part), number
        assert part.onset.min() >= 0, number
        assert (part.onset[1:] >= part.onset[:-1]).all(), number
        assert part.duration.min() >= 0, number
        assert 0 <= part.pitch.min() <= part.pitch.max() <= 127, number
        assert list(part.phrase_ends) == sorted(part.phrase_ends), number
    assert score.repeats is not None
