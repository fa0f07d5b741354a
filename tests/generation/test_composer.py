"""Composing: what was asked is what comes out, and the numbers beside it are right."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import symusic
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.generation import ComposeOptions, Composer, Composition, SamplingOptions, read_primer, write_melodies
from cantilena.io import write
from cantilena.models import Bars, log_probs_with_bars
from cantilena.music import Key, Melody, Meter, Tempo
from cantilena.tokenizers import parse_tokens

IDEA = Melody.from_pitches(
    [(62, 24), (64, 12), (None, 12), (69, 48), (65, 24), (64, 24), (62, 48)],
    key=Key.parse("D minor"),
    meter=Meter(3, 4),
    tempo=Tempo.constant(90),
)
TICKS = 192
"""How long the idea is."""


def sounding(melody: Melody) -> list[tuple[tuple[int, ...], int, int]]:
    return [(note.pitches, note.onset, note.duration) for note in melody.sounding]


@pytest.mark.parametrize("form", ["typed", "melody", ".mid", ".musicxml"])
def test_a_primer_stays_as_it_is_and_gives_key_meter_and_tempo(grid: Composer, form: str, tmp_path: Path) -> None:
    primer: str | Melody = IDEA
    if form == "typed":
        primer = "D4 E4/8 r/8 A4/2 F4 E4 D4/2"
    elif form != "melody":
        pytest.importorskip("music21")
        primer = str(tmp_path / f"idea{form}")
        write(IDEA, Path(primer))
    made = grid.compose(bars=8, primer=primer, seed=2)
    before = [note for note in sounding(made) if note[1] < TICKS]
    assert before[:-1] == sounding(IDEA)[:-1]
    # The last note of the primer is kept; the model may hold it for longer.
    assert before[-1][:2] == sounding(IDEA)[-1][:2]
    assert before[-1][2] >= sounding(IDEA)[-1][2]
    assert made.key == Key.parse("D minor")
    if form != "typed":
        assert made.meter == Meter(3, 4)
        assert made.tempo.initial == pytest.approx(90, abs=0.01)
        assert made.length == 8 * 72


def test_without_the_primer_the_same_music_goes_on(grid: Composer) -> None:
    with_it = grid.compose(bars=7, primer=IDEA, seed=2)
    without = grid.compose(bars=7, primer=IDEA, with_primer=False, seed=2)
    assert without.tokens == with_it.tokens
    assert without.length == with_it.length - TICKS == 7 * 72 - TICKS
    struck = [(n.pitches, n.onset - TICKS) for n in with_it.sounding if n.onset >= TICKS]
    # A hold at its start, which went on with the primer's last note, is a rest without it.
    assert [(n.pitches, n.onset) for n in without.sounding] == struck


@pytest.mark.parametrize(("key", "shift"), [("E minor", 2), ("D major", 0), ("A minor", -5)])
def test_a_primer_moves_into_the_key_that_is_asked_for(grid: Composer, key: str, shift: int) -> None:
    made = grid.compose(bars=6, primer=IDEA, key=key, seed=1)
    moved = (made.sounding[0].top - 62) % 12
    assert moved == shift % 12
    assert made.key == Key.parse(key)


@pytest.mark.parametrize("key", ["D minor", "A minor", "F# major"])
def test_typed_notes_stay_where_they_are_whatever_the_key(grid: Composer, key: str) -> None:
    made = grid.compose(bars=2, primer="D4 E4 F4/8 G4/8 A4/2", key=key, seed=1)
    assert [note.top for note in made.sounding[:5]] == [62, 64, 65, 67, 69]
    assert made.key == Key.parse(key)


@pytest.mark.parametrize("key", ["", "Eb major", "F# minor"])
@pytest.mark.parametrize("primer", ["", "C5 D5 E5"])
def test_every_new_note_lies_in_the_range(grid: Composer, key: str, primer: str) -> None:
    options = ComposeOptions(bars=8, key=key, range="C4-A5", primer=primer, with_primer=False)
    for made in grid.compose_many(8, options, seed=1, temperature=3.0):
        assert made.sounding
        assert all(60 <= pitch <= 81 for note in made.sounding for pitch in note.pitches)


def test_ranges_that_cannot_be(grid: Composer) -> None:
    for text in ("A5-C4", "C4", "C4-", "low-high", "G9-C10"):
        with pytest.raises(UsageError) as refused:
            grid.compose(bars=1, range=text)
        assert refused.value.hint
    assert grid.compose(bars=1, range="Bb3-B-4").length == 96


def test_lengths_count_new_music(grid: Composer, events: Composer) -> None:
    assert grid.compose(seconds=30, primer=IDEA, with_primer=False).seconds == pytest.approx(30, abs=60 / 90 / 4)
    assert grid.compose(seconds=30, primer=IDEA).seconds == pytest.approx(30 + TICKS / 24 * 60 / 90, abs=60 / 90 / 4)
    assert grid.compose().seconds == pytest.approx(30)
    assert grid.compose(bars=8, meter="6/8", tempo=60).length == 8 * 72
    assert len(grid.compose(events=125).tokens) == 125
    assert len(events.compose(events=125, primer="C4 E4").tokens) == 125
    assert len(events.compose(events=125).sounding) == 125
    with pytest.raises(UsageError, match="together"):
        grid.compose(bars=1, seconds=1)
    for silly in ({"bars": 0}, {"events": -1}, {"seconds": 0.0}, {"seconds": float("nan")}, {"tempo": float("inf")}):
        with pytest.raises(UsageError):
            grid.compose(**silly)  # type: ignore[arg-type]


def test_a_melody_is_the_same_however_many_are_asked_for(grid: Composer) -> None:
    options = ComposeOptions(bars=2, primer="C4 E4")
    five = grid.compose_many(5, options, seed=7)
    assert grid.compose_many(2, options, seed=7) == five[:2]
    assert len({made.tokens for made in five}) == 5
    assert grid.compose_many(2, options, seed=8) != five[:2]
    for silly in (0, -1, 10_001):
        with pytest.raises(UsageError):
            grid.compose_many(silly)


@pytest.mark.parametrize("primer", ["", "C4 E4/8 r/8 G4"])
def test_likelihoods_are_sums_over_both_models(grid: Composer, primer: str) -> None:
    made = grid.compose(bars=2, primer=primer, meter="3/4", seed=4, temperature=2.0)
    number = {name: token for token, name in enumerate(grid.encoding.vocabulary)}
    # A typed primer in C major needs no transposition on its way to the model.
    before = grid.encoding.encode(replace(read_primer(primer), key=Key())).tolist() if primer else []
    tokens = np.array([[*before, *(number[name] for name in made.tokens)]])
    bars = Bars.from_meter(Meter(3, 4), melodies=1, ticks_per_step=6)
    for model, told in ((grid.prior, made.log_likelihood), (grid.model, made.policy_log_likelihood)):
        log_probs = np.asarray(log_probs_with_bars(model, tokens, bars), dtype=np.float64)[0]
        expected = sum(log_probs[step, tokens[0, step]] for step in range(len(before), tokens.shape[1]))
        assert told == pytest.approx(expected, abs=1e-3)
    assert made.log_likelihood != pytest.approx(made.policy_log_likelihood, abs=0.1)


def test_two_readers_find_the_composition_in_its_midi(grid: Composer, tmp_path: Path) -> None:
    made = grid.compose(bars=6, primer=IDEA, seed=3)
    path = tmp_path / "made.mid"
    made.save(path)
    score = symusic.Score(str(path))
    scale = 24 / score.ticks_per_quarter
    found = sorted((n.start * scale, n.pitch, n.duration * scale) for track in score.tracks for n in track.notes)
    wanted = sorted((n.onset, n.top, n.duration) for n in made.sounding)
    assert found == wanted
    assert score.tempos[0].qpm == pytest.approx(90, abs=0.01)
    assert (score.time_signatures[0].numerator, score.time_signatures[0].denominator) == (3, 4)
    file = mido.MidiFile(path)
    strikes: list[tuple[float, int, float]] = []
    on: dict[int, float] = {}
    signs = set()
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                on[message.note] = now
            elif message.type in ("note_on", "note_off"):
                start = on.pop(message.note)
                strikes.append(
                    (start * 24 / file.ticks_per_beat, message.note, (now - start) * 24 / file.ticks_per_beat)
                )
            elif message.type == "key_signature":
                signs.add(message.key)
    assert sorted(strikes) == wanted
    assert signs == {"Dm"}


def test_notes_and_chords_without_time_compose_too(events: Composer, tmp_path: Path) -> None:
    made = events.compose(events=20, primer="C4 C4+E4+G4", seed=1)
    assert made.sounding[0].pitches == (60,)
    assert [pitch % 12 for pitch in made.sounding[1].pitches] == [0, 4, 7]
    assert any(note.is_chord for note in made.sounding[2:])
    assert {note.duration for note in made.sounding} == {12}
    for suffix in (".mid", ".musicxml", ".svg"):
        made.save(tmp_path / f"made{suffix}")


def test_every_note_of_a_chord_lies_in_the_range(events: Composer) -> None:
    made = events.compose(events=60, range="D4-D6", primer="E4", with_primer=False)
    assert any(note.is_chord for note in made.sounding)
    assert all(62 <= pitch <= 86 for note in made.sounding for pitch in note.pitches)
    with pytest.raises(UsageError, match="range"):
        events.compose(events=4, range="C7-C8", primer="C4")


@pytest.mark.parametrize("text", ["high", "A5-C4", "C8-D8"])
def test_a_range_that_is_refused_is_told_that_of_the_model(grid: Composer, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        grid.compose(bars=1, primer="C4 D4", range=text)
    assert "notes are C3 to B5" in caught.value.hint


def test_a_temperature_of_0_is_told_of_greedy() -> None:
    with pytest.raises(UsageError, match="temperature is 0") as caught:
        ComposeOptions().replace(temperature=0.0)
    assert "--greedy" in caught.value.hint


def test_the_same_seed_gives_the_same_bytes(grid: Composer, tmp_path: Path) -> None:
    options = ComposeOptions(bars=2, primer="D4 E4")
    for name in ("one", "two"):
        write_melodies(grid.compose_many(2, options, seed=5), tmp_path / name, quiet=True)
    digests = [
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    ]
    assert digests[0] == digests[1]
    assert len(digests[0]) == 9


def test_fewer_melodies_leave_none_of_the_earlier_behind(grid: Composer, tmp_path: Path) -> None:
    (tmp_path / "mine.mid").write_text("mine")
    write_melodies(grid.compose_many(3, ComposeOptions(bars=1)), tmp_path, quiet=True)
    write_melodies(grid.compose_many(1, ComposeOptions(bars=1)), tmp_path, force=True, quiet=True)
    assert sorted(path.name for path in tmp_path.glob("*.mid")) == ["001.mid", "mine.mid"]


def test_arguments_from_python_are_checked_like_flags(grid: Composer) -> None:
    for silly in (
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"top_k": -1},
        {"top_p": 0.0},
        {"key": "H dur"},
        {"meter": "4/5"},
        {"meter": "x"},
        {"tempo": 5.0},
    ):
        with pytest.raises(UsageError):
            grid.compose(bars=1, **silly)  # type: ignore[arg-type]
    assert isinstance(grid.compose(bars=1, greedy=True), Composition)


def test_a_long_high_and_a_low_primer(grid: Composer) -> None:
    for name in ("C1 E1 G1", "C8 G7 E7"):
        made = grid.compose(bars=1, primer=name)
        assert [note.name for note in made.sounding[:2]] == name.split()[:2]


TRIPLETS = Melody.from_pitches(
    [(60, 8), (62, 8), (64, 8), (None, 12), (67, 24)], key=Key(), meter=Meter(3, 4), pickup=8, tempo=Tempo.constant(100)
)


@given(
    st.sampled_from(["notes", "chords"]),
    st.sampled_from([{"bars": 1}, {"bars": 3}, {"seconds": 0.01}, {"seconds": 4.3}]),
    st.sampled_from(["", "4/4", "6/8", "5/32"]),
    st.sampled_from(["", "C4 E4/8 r/8", TRIPLETS]),
    st.booleans(),
    st.sampled_from(["", "C4-A5"]),
    st.sampled_from(["", "Eb major", "F# minor"]),
    st.sampled_from([SamplingOptions(), SamplingOptions(greedy=True), SamplingOptions(temperature=5.0, top_p=0.9)]),
    st.integers(0, 99),
)
@settings(max_examples=8, deadline=None)
def test_notes_have_the_length_and_the_range_that_are_asked_for(
    of_notes: dict[str, Composer],
    name: str,
    length: dict[str, float],
    meter: str,
    primer: str | Melody,
    with_primer: bool,
    range_: str,
    key: str,
    sampling: SamplingOptions,
    seed: int,
) -> None:
    composer = of_notes[name]
    given_ = {"": 0, "C4 E4/8 r/8": 48}[primer] if isinstance(primer, str) else primer.length
    bar = Meter.parse(meter or (str(primer.meter) if isinstance(primer, Melody) else "4/4")).ticks_per_bar
    assume("bars" not in length or length["bars"] * bar > given_)
    options = ComposeOptions(
        **length, meter=meter, primer=primer, with_primer=with_primer, range=range_, key=key, sampling=sampling
    )
    made = composer.compose_many(2, options, seed=seed)
    assert made == composer.compose_many(2, options, seed=seed)
    assert made[:1] == composer.compose_many(1, options, seed=seed)
    for one in made:
        if "bars" in length:
            new = length["bars"] * one.meter.ticks_per_bar - given_
        else:
            new = one.tempo.ticks(one.tempo.seconds(given_) + length["seconds"]) - given_
        assert one.length == max(new, 1) + given_ * with_primer
        sounding = one.sounding if not with_primer else [note for note in one.sounding if note.onset >= given_]
        if range_:
            assert all(60 <= pitch <= 81 for note in sounding for pitch in note.pitches)
        assert "end" not in one.tokens
        assert np.isfinite([one.log_likelihood, one.policy_log_likelihood]).all()
        if with_primer and not isinstance(primer, str) and not key and name == "notes":
            assert one.until(given_).notes == primer.notes


def test_a_number_of_events_of_notes(notes: Composer, chords: Composer) -> None:
    for composer, period in ((notes, 2), (chords, 3)):
        made = composer.compose_many(4, ComposeOptions(events=25, primer="C4 D4"))
        assert {len(one.tokens) for one in made} == {25 * period}
        assert len({one.length for one in made}) > 1


def test_likelihoods_of_notes_are_sums_over_both_models(notes: Composer) -> None:
    made = notes.compose(bars=3, primer="C4 E4/8 r/8 G4", meter="3/4", key="C major", seed=4, temperature=2.0)
    before = notes.encoding.encode(read_primer("C4 E4/8 r/8 G4"))
    tokens = np.concatenate([before, parse_tokens(notes.encoding, " ".join(made.tokens))])[None]
    bars = Bars.from_meter(Meter(3, 4), melodies=1, ticks_per_step=1, length=72 + 144)
    for model, told in ((notes.prior, made.log_likelihood), (notes.model, made.policy_log_likelihood)):
        log_probs = np.asarray(log_probs_with_bars(model, tokens, bars), dtype=np.float64)[0]
        assert told == pytest.approx(log_probs[np.arange(tokens.shape[1]), tokens[0]][len(before) :].sum(), abs=1e-3)


def test_melodies_of_notes_are_written(chords: Composer, tmp_path: Path) -> None:
    made = chords.compose_many(2, ComposeOptions(bars=2, meter="6/8"), seed=5)
    assert any(note.is_chord for one in made for note in one.sounding)
    for one in write_melodies(made, tmp_path, quiet=True):
        assert sorted(one.files) == ["mid", "musicxml", "svg", "wav"]
    read = symusic.Score(str(tmp_path / "001.mid"))
    found = sorted((n.start * 24 / read.ticks_per_quarter, n.pitch) for track in read.tracks for n in track.notes)
    assert found == sorted((note.onset, pitch) for note in made[0].sounding for pitch in note.pitches)


def test_a_model_of_notes_is_no_vae(notes: Composer) -> None:
    tune = notes.compose(bars=1)
    with pytest.raises(UsageError, match="no VAE"):
        notes.vary(tune)
    with pytest.raises(UsageError, match="no VAE"):
        notes.interpolate(tune, tune)


@pytest.fixture(scope="module")
def of_notes(notes: Composer, chords: Composer) -> dict[str, Composer]:
    return {"notes": notes, "chords": chords}
