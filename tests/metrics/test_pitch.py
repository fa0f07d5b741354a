"""Numbers of melodies against MusPy's, and the features of Yang and Lerch against pretty_midi, which they counted with.

Real tunes, note by note into the other library's objects, in sixteenths. Definitions differ in three places:
MusPy's groove knows no meter and no end of the music but that of the last note: it counts the bar in which that lies to
its end, and of music that ends at a barline one empty bar more, so that the tunes here are cut to whole bars and their
last note ends a step early. MusPy counts every note of a chord; we count each pitch class of a chord once. pretty_midi
sees a transition only where one note ends as another begins; we see one over a rest too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.data import load_builtin, read_melody
from cantilena.io import write
from cantilena.metrics import groove_consistency, melody_features, pitch_class_entropy, pitch_counts, scale_consistency
from cantilena.metrics.registry import DISTANCE, METRICS
from cantilena.music import Key, Line, Melody
from cantilena.rules import Context, Notes
from cantilena.tokenizers import EventsEncoding, GridEncoding

muspy = pytest.importorskip("muspy", reason="muspy is not installed: pip install cantilena[dev]")
GRID = GridEncoding(0, 127)


@pytest.fixture(scope="module")
def tunes() -> list[Melody]:
    """Tunes of all collections and meters, without what comes before their first barline."""
    corpus = load_builtin("tunes")
    chosen = [corpus[row] for row in range(0, len(corpus), len(corpus) // 60)]
    return [tune.between(tune.pickup, tune.length) for tune in chosen]


def bar_of(tune: Melody) -> int:
    return tune.meter.ticks_per_bar // GRID.ticks_per_step


def on_grid(tune: Melody) -> Line:
    """One tune in sixteenths, to its last whole bar."""
    tokens = GRID.encode(tune)
    return GRID.line(tokens[: len(tokens) // bar_of(tune) * bar_of(tune)][None])


def in_muspy(line: Line) -> Any:
    notes = Notes.from_line(line)
    end = notes.step + notes.sounding - notes.is_last  # a step early at the end: see above
    theirs = [
        muspy.Note(time=int(step), pitch=int(pitch), duration=int(stop - step))
        for step, pitch, stop in zip(notes.step, notes.pitch, end, strict=True)
    ]
    return muspy.Music(resolution=4, tracks=[muspy.Track(notes=theirs)])


def test_pitch_statistics_are_muspys(tunes: list[Melody]) -> None:
    compared = 0
    for tune in tunes:
        line = on_grid(tune)
        if not len(Notes.from_line(line)):
            continue
        theirs, context = in_muspy(line), Context(meter=tune.meter, steps_per_bar=bar_of(tune))
        assert pitch_class_entropy(line)[0] == pytest.approx(muspy.pitch_class_entropy(theirs), abs=1e-12)
        assert scale_consistency(line)[0] == pytest.approx(muspy.scale_consistency(theirs), abs=1e-12)
        features = melody_features(line, context)
        assert features["range"][0, 0] == muspy.pitch_range(theirs)
        assert features["pitch_count"][0, 0] == muspy.n_pitches_used(theirs)
        ends = int(Notes.from_line(line).step[-1] + Notes.from_line(line).sounding[-1])
        if ends == line.steps and line.steps >= 2 * bar_of(tune):  # no silence at the end, which MusPy does not see
            groove = muspy.groove_consistency(theirs, bar_of(tune))
            assert groove_consistency(line, context)[0] == pytest.approx(groove, abs=1e-12)
            compared += 1
    assert compared >= 30


def test_the_empty_bar_that_muspy_adds(tunes: list[Melody]) -> None:
    line = GridEncoding().line(np.array([[14, 1, 16, 1, 18, 1, 16, 1]]))
    whole = muspy.Music(
        resolution=4, tracks=[muspy.Track(notes=[muspy.Note(time=2 * n, pitch=60, duration=2) for n in range(4)])]
    )
    assert groove_consistency(line, Context(steps_per_bar=4))[0] == 1.0
    assert muspy.groove_consistency(whole, 4) == 1 - 2 / 8  # the third bar, empty, differs at two places


def test_melodies_of_a_set_are_counted_each_for_itself(tunes: list[Melody]) -> None:
    lines = [on_grid(tune) for tune in tunes if bar_of(tune) == 16]
    longest = max(line.steps for line in lines)
    tokens = [
        np.pad(np.where(line.event == 2, line.pitch + 2, line.event)[0], (0, longest - line.steps)) for line in lines
    ]
    together = GRID.line(np.stack(tokens), np.array([line.steps for line in lines]))
    found = pitch_counts(together, Context())
    for name, function in (("pitch_class_entropy", pitch_class_entropy), ("scale_consistency", scale_consistency)):
        np.testing.assert_array_equal(found.counted[name], [np.nan_to_num(function(line)[0]) for line in lines])
    grooves = [groove_consistency(line, Context())[0] for line in lines]
    np.testing.assert_array_equal(found.counted["groove_consistency"], np.nan_to_num(grooves))
    assert found.statistics()["groove_consistency"] == pytest.approx(np.nanmean(grooves))


def test_midi_files_that_we_write_are_read_alike_by_muspy(tunes: list[Melody], tmp_path: Path) -> None:
    compared = 0
    for number, tune in enumerate(tunes[::6]):
        path = tmp_path / f"{number}.mid"
        write(tune, path, accompaniment="none")
        theirs, ours = muspy.read_midi(path), GRID.line(GRID.encode(tune)[None])
        if GRID.fit(tune).dropped:  # two notes in one sixteenth
            continue
        assert pitch_class_entropy(ours)[0] == pytest.approx(muspy.pitch_class_entropy(theirs), abs=1e-12)
        assert scale_consistency(ours)[0] == pytest.approx(muspy.scale_consistency(theirs), abs=1e-12)
        assert melody_features(ours, Context())["range"][0, 0] == muspy.pitch_range(theirs)
        compared += 1
    assert compared >= 6


def test_melodies_of_piano_pieces(shared: Path) -> None:
    for path in sorted((shared / "data/piano-midi").rglob("*.mid"))[::200]:
        line = on_grid(read_melody(path))
        theirs = in_muspy(line)
        assert pitch_class_entropy(line)[0] == pytest.approx(muspy.pitch_class_entropy(theirs), abs=1e-12)
        assert scale_consistency(line)[0] == pytest.approx(muspy.scale_consistency(theirs), abs=1e-12)


def test_histograms_and_transitions_are_those_of_pretty_midi(tunes: list[Melody]) -> None:
    pretty_midi = pytest.importorskip("pretty_midi", reason="pretty_midi is not installed: it comes with muspy")
    compared = 0
    for tune in tunes:
        line, key = on_grid(tune), Key(7)
        notes = Notes.from_line(line)
        theirs = pretty_midi.Instrument(0)
        theirs.notes = [
            pretty_midi.Note(100, int(pitch), float(start), float(start + length))
            for start, pitch, length in zip(notes.step, notes.pitch, notes.sounding, strict=True)
        ]
        ours = melody_features(line, Context(key))
        histogram = theirs.get_pitch_class_histogram(use_duration=True, normalize=True)
        np.testing.assert_allclose(np.roll(ours["pitch_classes"][0], key.tonic), histogram, atol=1e-12)
        if (notes.gap == notes.sounding).all() and len(notes) > 1:  # no rests
            moves = np.roll(ours["pitch_class_transitions"].reshape(12, 12), (key.tonic, key.tonic), (0, 1))
            np.testing.assert_allclose(moves, theirs.get_pitch_class_transition_matrix(normalize=True), atol=1e-12)
            compared += 1
    assert compared >= 20


def test_hostile_melodies() -> None:
    def numbers(line: Line, context: Context | None = None) -> list[list[float]]:
        where = context or Context(steps_per_bar=4)
        return [
            pitch_class_entropy(line).tolist(),
            scale_consistency(line).tolist(),
            groove_consistency(line, where).tolist(),
        ]

    none = GridEncoding().line(np.zeros((0, 32), dtype=int))
    assert numbers(none) == [[], [], []]
    assert pitch_counts(none).statistics().keys() == {"pitch_class_entropy", "scale_consistency", "groove_consistency"}
    silence = GridEncoding().line(np.array([[0, 1, 1, 1, 1, 1, 1, 1]]))
    np.testing.assert_equal(numbers(silence), [[np.nan], [np.nan], [1.0]])
    one_note = GridEncoding().line(np.array([[14, 1, 1, 1]]))
    np.testing.assert_equal(numbers(one_note), [[0.0], [1.0], [np.nan]])
    same = GridEncoding().line(np.full((1, 16), 14))
    np.testing.assert_equal(numbers(same), [[0.0], [1.0], [1.0]])
    np.testing.assert_equal(numbers(same, Context(steps_per_bar=4, timed=False))[2], [np.nan])
    chromatic = GridEncoding().line(np.arange(14, 26)[None])
    np.testing.assert_allclose([numbers(chromatic)[0][0], numbers(chromatic)[1][0]], [np.log2(12), 7 / 12])
    empty = GridEncoding().line(np.zeros((2, 0), dtype=int))
    assert np.isnan(numbers(empty)).all()
    padded = GridEncoding().line(np.array([[14, 1, 16, 1, 14, 1, 16, 1, 2, 2, 2, 2]]), np.array([9]))
    assert numbers(padded)[0][0] == pytest.approx(-(0.6 * np.log2(0.6) + 0.4 * np.log2(0.4)))  # C D C D C
    assert numbers(padded)[1:] == [[1.0], [1.0]]


def test_a_chord_counts_each_of_its_classes_once() -> None:
    encoding = EventsEncoding(("C4+E4+C5", "C4"), chords="full")
    line = encoding.line(np.array([[0, 1]]))
    assert pitch_class_entropy(line)[0] == pytest.approx(-(2 / 3 * np.log2(2 / 3) + 1 / 3 * np.log2(1 / 3)))


def test_the_numbers_have_words() -> None:
    for name in pitch_counts(GRID.line(np.array([[62, 64]]))).names:
        assert (METRICS[name].better, METRICS[name].group) == ("none", DISTANCE)
        assert len(METRICS[name].label) < 30
