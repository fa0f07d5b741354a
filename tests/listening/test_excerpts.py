"""Excerpts begin and end at phrase boundaries, on one grid, at one tempo."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.listening.study.excerpts import Excerpt, isochronous_excerpt, phrase_excerpts
from cantilena.music import Key, Melody, Tempo


def phrases(count: int = 3) -> Melody:
    """Phrases of seven notes and a long one, with a rest between them."""
    rng = np.random.default_rng(1)
    pairs: list[tuple[int | None, int]] = []
    for _ in range(count):
        pairs += [(60 + int(pitch), 24) for pitch in rng.choice([0, 2, 4, 5, 7, 9, 11, 12], 7)]
        pairs += [(60, 72), (None, 24)]
    return Melody.from_pitches(pairs, key=Key(), tempo=Tempo.constant(90))


def excerpts(melody: Melody) -> list[Excerpt]:
    return phrase_excerpts(melody, 0, tempo=120, shortest=4, longest=12)


def test_an_excerpt_has_whole_phrases_without_silence_at_its_ends() -> None:
    found = excerpts(phrases())
    assert len(found) == 5  # three phrases and two pairs; all three together are too long
    for excerpt in found:
        notes = excerpt.melody.sounding
        assert notes[0].onset == 0
        assert notes[-1].end == excerpt.melody.length
        assert notes[-1].duration >= 24
        assert len(notes) % 8 == 0
        assert excerpt.melody.tempo == Tempo.constant(120)
        assert 4 <= excerpt.melody.seconds <= 12


def test_the_end_of_a_truncated_melody_is_not_a_boundary() -> None:
    melody = phrases(2)
    truncated = melody.until(melody.length - 24 - 72 - 12)
    assert {excerpt.quarters for excerpt in excerpts(truncated)} == {10.0}  # the first phrase alone


def test_human_melodies_are_quantised() -> None:
    loose = Melody.from_pitches(
        [(60, 23), (62, 25), (64, 22), (65, 26), (67, 24), (65, 24), (64, 23), (60, 73), (None, 24)] * 2
    )
    found = excerpts(loose)
    assert found
    assert all(note.onset % 6 == 0 and note.duration % 6 == 0 for excerpt in found for note in excerpt.melody.notes)


def test_isochronous_excerpts_have_a_quarter_of_a_second_per_note() -> None:
    excerpt = isochronous_excerpt(Melody.from_pitches([((60, 64), 30), (None, 50), (62, 6)] * 70), 0, seconds=30)
    assert excerpt is not None
    assert excerpt.melody.seconds == pytest.approx(30.0)
    assert len(excerpt.melody.sounding) == 120
    assert excerpt.melody.sounding[0].pitches == (60, 64)
    assert isochronous_excerpt(phrases(), 0, seconds=30) is None
