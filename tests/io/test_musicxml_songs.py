"""MusicXML of others: known cases, songs and what partitura reads in them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from cantilena.errors import ScoreError
from cantilena.io.notation.musicxml_reader import read_musicxml

Q = 10080
"""Ticks a quarter note."""

SHARED = Path(__file__).parents[3] / "shared"
LIEDER = sorted((SHARED / "data" / "openscore-lieder").glob("**/*.mxl"))
needs_lieder = pytest.mark.skipif(not LIEDER, reason="the OpenScore Lieder corpus is not in ../shared")
needs_cases = pytest.mark.skipif(not (SHARED / "cases").is_dir(), reason="the cases are not in ../shared")


def spans(part) -> list[tuple[float, float, int]]:
    """(onset, duration, pitch), times in quarters."""
    return [
        (onset / Q, duration / Q, pitch)
        for onset, duration, pitch in zip(part.onset.tolist(), part.duration.tolist(), part.pitch.tolist(), strict=True)
    ]


@needs_cases
def test_cases():
    answers = json.loads((SHARED / "cases" / "answers.json").read_text())
    for name, (answer,) in ((name, tunes) for name, tunes in answers.items() if name.startswith("musicxml/")):
        score = read_musicxml((SHARED / "cases" / name).read_bytes())
        found = [sorted([onset, pitch, duration] for onset, duration, pitch in spans(part)) for part in score.parts]
        assert found == [sorted(part) for part in answer["parts"]], name


@needs_cases
def test_damaged_cases():
    for path in (*(SHARED / "cases" / "damaged").glob("*xl"), *(SHARED / "cases" / "damaged").glob("*.musicxml")):
        with pytest.raises(ScoreError):
            read_musicxml(path.read_bytes())


@needs_lieder
def test_songs_are_read_mostly_without_doubt():
    sample = LIEDER[::240]
    scores = [read_musicxml(path.read_bytes()) for path in sample]
    assert sum(any(doubt.misplaces for doubt in score.doubts) for score in scores) <= 1


def voice_line(path: Path) -> tuple[Counter[tuple[float, float, int]], bool, int]:
    """The notes of the first part, whether they may be misplaced, and how many are silent."""
    score = read_musicxml(path.read_bytes())
    line = Counter(
        (round(onset - score.pickup / Q, 2), round(duration, 2), pitch)
        for part in score.parts
        if part.track == 0
        for onset, duration, pitch in spans(part)
    )
    return line, any(doubt.misplaces for doubt in score.doubts), score.lost


READ_OTHERWISE = {
    "lc6212196": "a grace note tied to its main note takes it away",
    "lc6262515": "as above",
    "lc6151215": "a tie of two voices in unison joins one of them",
    "lc29093213": "a piece for piano alone, of which it gives both staves",
}
"""Songs that partitura 1.9 reads otherwise than they are written."""


@needs_lieder
@pytest.mark.filterwarnings("ignore::UserWarning:partitura")
@pytest.mark.parametrize("every", [pytest.param(90, marks=pytest.mark.e2e), pytest.param(9, marks=pytest.mark.slow)])
def test_songs_are_read_as_partitura_reads_them(every):
    partitura = pytest.importorskip("partitura")
    for path in LIEDER[3::every]:
        mine, is_doubted, silent = voice_line(path)
        if is_doubted or path.stem in READ_OTHERWISE:  # doubted: parts of different meters, which it does not align
            continue
        part = partitura.load_musicxml(str(path)).parts[0]
        quarters = part.quarter_map
        theirs = Counter(
            (
                round(float(quarters(one.start.t)), 2),
                round(float(quarters(one.start.t + one.duration_tied) - quarters(one.start.t)), 2),
                int(one.midi_pitch),
            )
            for one in part.notes_tied
            if type(one).__name__ != "GraceNote"
        )
        assert not mine - theirs, path
        assert (theirs - mine).total() <= silent, path  # cue notes sound there
