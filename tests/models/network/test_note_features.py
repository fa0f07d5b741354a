"""Features of notes: single tokens against whole sequences, causality, bounds; and networks of notes."""

from __future__ import annotations

from dataclasses import replace
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.models import (
    NO_CHORDS,
    Bars,
    Network,
    NetworkOptions,
    NumpyNetwork,
    Sequences,
    chord_rows,
    likelihood,
    padded_chords,
    padded_plans,
    plan_rows,
)
from cantilena.models.network.features import TokenHistory
from cantilena.models.network.note_features import NoteFeatures
from cantilena.models.network.note_history import KINDS, NoteMatches
from cantilena.models.network.options import NOTE_INPUTS
from cantilena.models.policy import LOG_ZERO, to_numpy
from cantilena.music import Chord, Form, Melody, form_origin
from cantilena.tokenizers import END, NotesEncoding

NOTES = NotesEncoding((1, 6, 12, 24, 36, 48), 60, 72)
CHORDS = NotesEncoding((1, 12, 24), 60, 72, ((), (4, 7)))

PROGRESSION = chord_rows(
    [(12, Chord.parse("C")), (60, Chord.parse("F/A")), (72, Chord(None)), (200, Chord.parse("G7"))]
)


def options_for(encoding: NotesEncoding, **changes: object) -> NetworkOptions:
    shape = NetworkOptions(
        width=12, embedding=8, durations=encoding.durations, pitches=encoding.high - encoding.low + 1, plan=True
    )
    return replace(shape, **changes)  # type: ignore[arg-type]


def any_tokens(encoding: NotesEncoding, melodies: int, events: int, seed: int) -> NDArray[np.int64]:
    """Random events; few of each kind, so that much repeats, and some melodies end early."""
    rng = np.random.default_rng(seed)
    parts = [rng.integers(first, min(after, first + 5), (melodies, events)) for first, after in encoding.parts]
    parts[1] = np.where(rng.random((melodies, events)) < 0.1, encoding.rest, parts[1])
    tokens = np.stack(parts, axis=2).reshape(melodies, -1)
    for row, length in zip(tokens, rng.integers(events // 2, events + 1, melodies) * len(parts), strict=True):
        row[length:] = END
    return tokens


def any_bars(encoding: NotesEncoding, tokens: NDArray[np.int64], seed: int) -> Bars:
    """Several meters and pickups; every other melody with its length told, every third with its form."""
    rng, melodies = np.random.default_rng(seed), len(tokens)
    length = np.array([encoding.decode(row).length for row in tokens])
    plans = [plan_rows(Form.parse("A2B2A'2A2")) * (row % 3 == 0) for row in range(melodies)]
    return Bars(
        rng.choice([48, 72, 96], melodies),
        rng.choice([0, 12, 24], melodies),
        length=np.where(np.arange(melodies) % 2, length, 0),
        plan=padded_plans(plans),
        chords=padded_chords([PROGRESSION if row % 2 else NO_CHORDS for row in range(melodies)]),
    )


def stepped(features: NoteFeatures, tokens: NDArray[np.int64], bars: Bars) -> NDArray[np.int64]:
    rows, state = features.first(len(tokens), bars)
    every = [rows]
    for column in tokens.T[:-1]:
        rows, state = features.next(column, state)
        every.append(rows)
    return np.stack(every, axis=1)


@settings(max_examples=30, deadline=None)
@given(
    encoding=st.sampled_from([NOTES, CHORDS]),
    seed=st.integers(0, 10_000),
    look_back=st.sampled_from([(), (1,), (1, 2, 4)]),
    without=st.sets(st.sampled_from(NOTE_INPUTS)),
    plan=st.booleans(),
    harmony=st.booleans(),
)
def test_single_tokens_have_the_rows_of_whole_sequences(
    encoding: NotesEncoding, seed: int, look_back: tuple[int, ...], without: set[str], plan: bool, harmony: bool
) -> None:
    tokens = any_tokens(encoding, 5, 14, seed)
    bars = any_bars(encoding, tokens, seed)
    options = options_for(encoding, look_back=look_back, without=tuple(sorted(without)), plan=plan, harmony=harmony)
    features = NoteFeatures(options, len(encoding.vocabulary))
    whole = features.encode(tokens, bars)
    live = np.cumsum(tokens == END, axis=1) == 0  # after the end only the bounds matter
    np.testing.assert_array_equal(stepped(features, tokens, bars)[live], whole[live])
    in_table = whole[..., : features.columns]
    in_parts = whole[..., features.columns : -2]
    assert 0 <= in_table.min() <= in_table.max() < features.rows
    assert 0 <= in_parts.min() <= in_parts.max() < features.part_rows


def test_the_chord_that_sounds_the_next_one_and_the_time_to_it_are_told() -> None:
    options = options_for(NOTES, plan=False, look_back=(), harmony=True)
    features = NoteFeatures(options, len(NOTES.vocabulary))
    tokens = NOTES.encode(Melody.from_pitches([(60, 24), (62, 48), (64, 6)]))[None]
    bars = Bars(np.array([96]), np.array([0]), chords=padded_chords([PROGRESSION]))
    rows = features.encode(tokens, bars) - features.offsets
    chord, bass, after, time = rows[0, ::2, features.columns - 4 : features.columns].T
    c, f_over_a, no_chord, unknown = PROGRESSION[1, 1], PROGRESSION[2, 1], PROGRESSION[3, 1], 0
    assert chord.tolist() == [unknown, c, no_chord]
    assert bass.tolist() == [0, 1, 0]
    assert after.tolist() == [c, f_over_a, PROGRESSION[4, 1]]
    assert np.diff(time).tolist() != [0, 0]
    assert rows[0, 1::2, -3].tolist() == [c, no_chord, no_chord]  # where each note ends


@pytest.mark.parametrize(("encoding", "checksum"), [(NOTES, 3271573185), (CHORDS, 977563024)])
def test_rows_are_those_that_trained_networks_were_given(encoding: NotesEncoding, checksum: int) -> None:
    """A network of an earlier version would read other rows as it reads those of other melodies, without an error."""
    number = np.arange(4 * 60).reshape(4, 60)
    parts = [first + number**2 % 7 * (number % 3) % (after - first) for first, after in encoding.parts]
    tokens = np.stack(parts, axis=2).reshape(4, -1)
    bars = Bars(
        np.array([96, 72, 96, 200]),
        np.array([0, 24, 12, 0]),
        np.tile(np.arange(6), (4, 1)) % np.array([13, 3, 11, 1, 4, 21]),
        np.array([0, 700, 1200, 0]),
        padded_plans([plan_rows(Form.parse("A2B2A'2A2")) * told for told in (1, 1, 0, 1)]),
    )
    options = options_for(encoding, conditions=("key", "mode", "meter", "role", "register"))
    rows = NoteFeatures(options, len(encoding.vocabulary)).encode(tokens, bars)
    assert crc32(rows.astype("<i8").tobytes()) == checksum


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 27))
def test_rows_do_not_depend_on_later_tokens(seed: int, cut: int) -> None:
    tokens, other = any_tokens(NOTES, 3, 14, seed), any_tokens(NOTES, 3, 14, seed + 1)
    bars = any_bars(NOTES, tokens, seed)
    cut -= cut % 2
    changed = np.concatenate([tokens[:, :cut], other[:, cut:]], axis=1)
    changed[(tokens[:, :cut] == END).any(axis=1), cut:] = END
    features = NoteFeatures(options_for(NOTES), len(NOTES.vocabulary))
    np.testing.assert_array_equal(
        features.encode(changed, bars)[:, : cut + 1], features.encode(tokens, bars)[:, : cut + 1]
    )


@settings(max_examples=20, deadline=None)
@given(
    encoding=st.sampled_from([NOTES, CHORDS]), seed=st.integers(0, 10_000), cut=st.integers(0, 27), told=st.booleans()
)
def test_the_state_of_some_melodies_is_that_of_those_from_the_start(
    encoding: NotesEncoding, seed: int, cut: int, told: bool
) -> None:
    tokens = any_tokens(encoding, 5, 14, seed)
    bars = any_bars(encoding, tokens, seed)
    if not told:
        bars = Bars(bars.steps_per_bar, bars.pickup)
    features = NoteFeatures(options_for(encoding, conditions=("key",)), len(encoding.vocabulary))
    chosen = np.random.default_rng(seed).integers(0, 5, 7)
    expected = stepped(features, tokens[chosen], bars[chosen])
    _, state = features.first(5, bars)
    for column in tokens.T[:cut]:
        _, state = features.next(column, state)
    state = state.take_rows(chosen)
    for step in range(cut, tokens.shape[1] - 1):
        rows, state = features.next(tokens[chosen, step], state)
        np.testing.assert_array_equal(rows, expected[:, step + 1])


def test_a_state_can_be_continued_twice() -> None:
    tokens = any_tokens(CHORDS, 3, 12, 1)
    features = NoteFeatures(options_for(CHORDS), len(CHORDS.vocabulary))
    rows, state = features.first(3)
    states = [state]
    for column in tokens.T[:-1]:
        _, state = features.next(column, state)
        states.append(state)
    rows = stepped(features, tokens, Bars(np.full(3, 96), np.zeros(3, dtype=np.int64)))
    for step in reversed(range(tokens.shape[1] - 1)):
        np.testing.assert_array_equal(features.next(tokens[:, step], states[step])[0], rows[:, step + 1])


@pytest.mark.parametrize("max_context", [1, 9, 500])
@pytest.mark.parametrize("codes", [1, 2, 5])
def test_matches_are_those_of_the_history_of_tokens(codes: int, max_context: int) -> None:
    lines = np.random.default_rng(codes).integers(0, codes, (4, KINDS, 130))
    matches, history = NoteMatches.empty(4), TokenHistory.empty(4 * KINDS)
    for note in range(lines.shape[2]):
        back, bins = matches.longest()
        followed = np.take_along_axis(lines, np.maximum(note - 1 - back, 0)[..., None], axis=2)[..., 0]
        expected, lengths = history.continuations(1, missing=-1)
        np.testing.assert_array_equal(np.where(bins > 0, followed, -1).ravel(), expected[:, 0])
        np.testing.assert_array_equal(bins.ravel(), lengths[:, 0])
        matches = matches.append(lines[:, :, note], max_context)
        history = history.append(lines[:, :, note].ravel(), max_context)


@pytest.mark.parametrize("encoding", [NOTES, CHORDS])
def test_what_a_melody_holds_is_within_the_bounds(encoding: NotesEncoding) -> None:
    tokens = any_tokens(encoding, 8, 12, 3)
    bars = any_bars(encoding, tokens, 3)
    bounds = NoteFeatures(options_for(encoding), len(encoding.vocabulary)).encode(tokens, bars)[..., -2:]
    assert ((bounds[..., 0] <= tokens) & (tokens < bounds[..., 1])).all()


def test_bars_of_a_form_begin_where_they_were_found() -> None:
    """A quarter of pickup, and a last bar that is not shorter for it: bars begin at the barlines."""
    tune = Melody.from_pitches([(60, 24)] * 9, pickup=24)
    assert form_origin(tune) == 24
    features = NoteFeatures(options_for(NOTES), len(NOTES.vocabulary))
    plan = padded_plans([plan_rows(Form.parse("A1A1"))])
    returns = []
    for origin in (24, 0):
        bars = Bars(np.array([96]), np.array([24]), plan=plan, plan_origin=np.array([origin]))
        rows = features.encode(NOTES.encode(tune)[None], bars)[0, ::2, : features.columns]
        column = features.columns - 8  # the first of the plan, the last group where there are no conditions
        returns.append((rows[:, column] - features.offsets[column]).tolist())
    assert returns == [[1, 1, 1, 1, 1, 2, 2, 2, 2], [1, 1, 1, 1, 2, 2, 2, 2, 2]]


def test_a_known_length_leaves_only_durations_that_fit_and_then_the_end() -> None:
    features = NoteFeatures(options_for(NOTES), len(NOTES.vocabulary))
    bars = Bars(np.array([96]), np.array([0]), length=np.array([36]))
    quarter, pitch = NOTES.durations.index(24) + 1, NOTES.parts[1][0]
    bounds = features.encode(np.array([[quarter, pitch, 0, 0]]), bars)[0, :, -2:]
    eighth = NOTES.durations.index(12) + 1
    dotted = NOTES.durations.index(36) + 1
    assert bounds[0].tolist() == [1, dotted + 1]
    assert bounds[1].tolist() == [*NOTES.parts[1]]
    assert bounds[2].tolist() == [1, eighth + 1]  # 12 ticks are left
    full = features.encode(np.array([[dotted, pitch, 0, 0]]), bars)[0, :, -2:]
    assert full[2].tolist() == full[3].tolist() == [END, END + 1]


@pytest.mark.parametrize("core", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("encoding", [NOTES, CHORDS])
def test_whole_melodies_single_tokens_and_numpy_agree(core: str, encoding: NotesEncoding) -> None:
    options = options_for(encoding, core=core, layers=2)
    network = Network(options, len(encoding.vocabulary), seed=4)
    plain = NumpyNetwork(options, network.numpy_weights())
    tokens = any_tokens(encoding, 4, 10, 5)
    bars = any_bars(encoding, tokens, 5)
    whole = to_numpy(network.log_probs(tokens, bars=bars))
    possible = whole > LOG_ZERO / 2
    np.testing.assert_allclose(plain.log_probs(tokens, bars=bars)[possible], whole[possible], atol=1e-5)
    log_p, state = network.start(4, bars=bars)
    for step, column in enumerate(tokens.T):
        np.testing.assert_allclose(to_numpy(log_p), whole[:, step], atol=2e-3)
        log_p, state = network.step(column, state)
    assert np.allclose(np.exp(whole).sum(axis=2), 1.0, atol=1e-5)


def test_nats_are_counted_by_the_sixteenth() -> None:
    tune = Melody.from_pitches([(60, 24), (62, 12), (64, 36), (60, 24)])
    tokens = np.append(NOTES.encode(tune), END)
    bars = Bars(np.array([96]), np.array([0]), length=np.array([tune.length]))
    pieces = Sequences((tokens,), bars, (NOTES.ticks(tokens[None])[0],))
    network = Network(options_for(NOTES), len(NOTES.vocabulary), seed=1)
    found = likelihood(network, pieces)
    log_p = to_numpy(network.log_probs(tokens[None], bars=bars.without_conditions()))[0]
    assert found.steps.tolist() == [16.0]
    assert found.nats[0] == pytest.approx(-log_p[np.arange(len(tokens)), tokens].sum(), rel=1e-5)
    assert found.by_bars is not None
    assert found.steps_by_bars is not None
    assert found.by_bars.sum() == pytest.approx(found.nats[0])
    assert found.steps_by_bars[0].tolist() == [16.0, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"without": ("rhymes",)}, "rhymes"),
        ({"durations": ()}, "durations"),
        ({"core": "transformer", "heads": 4}, "transformer"),
        ({"attention": 8}, "attend"),
        ({"melodic": True}, "melodic"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        options_for(NOTES, **changes)
