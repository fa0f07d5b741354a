"""Bars written anew: nothing else changes, and what comes after is heard."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cantilena.data import load_builtin
from cantilena.errors import UsageError
from cantilena.generation import BarRange, ComposeOptions, Composer, SamplingOptions, load
from cantilena.generation.infill_context import InfillContext, InfillSpan
from cantilena.generation.infilling import Candidates, draw_candidates
from cantilena.models import Bars, Network, NetworkOptions
from cantilena.music import Key, Melody, Meter, Note, Tempo
from cantilena.rules import load_rules
from cantilena.runtime import generator
from cantilena.tokenizers import EventsEncoding, GridEncoding, NotesEncoding, parse_tokens

LONG = Melody.from_pitches([(60 + step % 7, 24) for step in range(32)], key=Key())


def outside(melody: Melody, start: int, end: int) -> list[Note]:
    return [note for note in melody.notes if not start <= note.onset < end]


@st.composite
def tunes(draw: st.DrawFn) -> tuple[Melody, int, int]:
    meter = draw(st.sampled_from([Meter(), Meter(3, 4), Meter(6, 8), Meter(5, 32)]))
    pairs = draw(
        st.lists(
            st.tuples(
                st.sampled_from([None, 48, 60, 62, 66, 71, 84, (60, 64, 67)]), st.sampled_from([3, 6, 8, 12, 24, 40])
            ),
            min_size=1,
            max_size=24,
        )
    )
    pickup = draw(st.sampled_from([0, 0, 6, 12, 8])) % meter.ticks_per_bar
    key = draw(st.sampled_from([None, Key(), Key(3, "minor"), Key(2, "dorian")]))
    melody = Melody.from_pitches(pairs, key=key, meter=meter, pickup=pickup, tempo=Tempo.constant(90), title="Air")
    count = melody.bars - bool(pickup)
    first = draw(st.integers(0 if pickup else 1, max(count, 1)))
    return melody, first, draw(st.integers(first, max(count, first)))


@given(tunes(), st.sampled_from(["grid", "events", "notes", "chords"]), st.integers(0, 50), st.booleans())
@settings(max_examples=15, deadline=None)
def test_notes_of_other_bars_stay(
    all_kinds: dict[str, Composer], asked: tuple[Melody, int, int], encoding: str, seed: int, greedy: bool
) -> None:
    melody, first, last = asked
    composer = all_kinds[encoding]
    try:
        gap = InfillSpan.from_bars(melody, BarRange(first, last))
        made = composer.rewrite(melody, first, last, melodies=2, sampling=SamplingOptions(greedy=greedy), seed=seed)
    except UsageError as refusal:
        assert any(words in refusal.text for words in ("no note", "held through", "ends before"))  # noqa: PT017
        return
    assert made[:1] == composer.rewrite(melody, first, last, sampling=SamplingOptions(greedy=greedy), seed=seed)
    for one in made:
        assert outside(one, gap.start, gap.end) == outside(melody, gap.start, gap.end)
        assert (one.meter, one.tempo, one.pickup, one.title) == (melody.meter, melody.tempo, melody.pickup, "Air")
        assert melody.key is None or one.key == melody.key
        assert one.length == max(melody.length, gap.end)
        if encoding != "events":
            held = max((note.end for note in melody.sounding if note.onset < gap.start), default=0)
            last_end = max((n.end for n in melody.sounding if gap.start <= n.onset < gap.end), default=0)
            for note in one.sounding:
                if gap.start <= note.onset < gap.end:
                    assert note.onset >= held
                    assert note.end <= max(gap.end, last_end)
                    assert encoding == "chords" or not note.is_chord


def test_notes_across_the_barlines() -> None:
    """A note held into the gap stays; one held out of it goes, and what sounds there now is held as long."""
    melody = Melody.from_pitches(
        [(60, 108), (62, 60), (64, 36), (65, 84)], key=Key()
    )  # bars of 96 ticks: 108, 168, 204
    gap = InfillSpan.from_bars(melody, BarRange(2, 2))
    around = InfillContext.from_melody(melody, gap, GridEncoding())
    assert (around.origin, around.steps, around.held_until, around.begins_anew) == (108, 14, 204, True)
    grid = GridEncoding()
    assert around.past.tolist() == [14, *[1] * 17]
    assert around.future_after_sound.tolist()[:3] == [1, 1, 19]
    new = np.array([16, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 17, 1])
    assert [(n.top, n.onset, n.end) for n in around.notes(new, grid) if n.pitches] == [(62, 108, 168), (63, 180, 204)]
    silent = np.array([16, 0, *[1] * 12])
    assert around.whole(silent[None], grid)[0, -16:].tolist()[:3] == [1, 1, 19]
    # What is silent after the gap stays silent, whatever the new music ends with.
    rested = Melody.from_pitches([(60, 96), (62, 48), (None, 96), (65, 48)], key=Key())
    around = InfillContext.from_melody(rested, InfillSpan.from_bars(rested, BarRange(2, 2)), grid)
    assert around.future_after_sound.tolist()[:2] == [0, 1]
    assert around.future.tolist()[:2] == [1, 1]


def test_notes_fill_bars_to_the_tick() -> None:
    """Triplets before the gap and after it stay; the last new note is held as long as the one that was there."""
    encoding = NotesEncoding()
    melody = Melody.from_pitches([(60, 32), (62, 72), (64, 64), (65, 36), (None, 12), (67, 8), (69, 72)], key=Key())
    gap = InfillSpan.from_bars(melody, BarRange(2, 2))  # 96 to 192 ticks; a note is held until 104, another until 204
    around = InfillContext.from_melody(melody, gap, encoding)
    assert (around.origin, around.end, around.held_until, around.silent_until) == (104, 192, 204, 216)
    assert (around.length, around.line_steps(encoding)) == (296, 50)

    def named(tokens: NDArray[np.int64]) -> list[str]:
        return [encoding.vocabulary[token] for token in tokens if token]

    held = parse_tokens(encoding, "1/2 D4 1/6 rest 1/4 E4")
    silent = parse_tokens(encoding, "1/2 D4 1/6 D4 1/4 rest")
    whole = around.notes_with_future(np.stack([held, silent]), encoding)
    past, future = ["1/3", "C4", "3/4", "D4"], ["1/12", "G4", "3/4", "A4"]
    assert named(whole.tokens[0]) == [*past, "1/2", "D4", "1/6", "rest", "3/8", "E4", "1/8", "rest", *future]
    assert named(whole.tokens[1]) == [*past, "1/2", "D4", "1/6", "D4", "1/2", "rest", *future]
    assert [(n.top, n.onset, n.end) for n in around.notes(held, encoding) if n.pitches] == [
        (62, 104, 152),
        (64, 168, 204),
    ]


def test_candidates_of_notes_are_weighted_to_the_true_posterior() -> None:
    """Against the probabilities of all ways to fill a quarter note with C4 and D4 in eighths and quarters."""
    encoding = NotesEncoding((1, 12, 24), 60, 71)
    options = NetworkOptions(width=8, embedding=8, durations=encoding.durations, pitches=12)
    network = Network(options, len(encoding.vocabulary), seed=3)
    weights = network.numpy_weights()
    weights["head.weight"] *= 1.5
    weights["head.bias"][1] = -99  # no notes of a tick
    network.load_weights(weights)
    tune = Melody.from_pitches([(60, 96), (64, 24), (62, 72), (60, 96)], key=Key())
    around = InfillContext.from_melody(tune, InfillSpan(BarRange(2, 2), 96, 120), encoding)
    pitches = np.array([name in ("C4", "D4") for name in encoding.vocabulary])
    bars = Bars.from_meter(Meter(), melodies=5000, ticks_per_step=1, length=tune.length)
    drawn = draw_candidates(
        network,
        around,
        np.random.default_rng(1),
        encoding=encoding,
        bars=bars,
        sampling=SamplingOptions(),
        allowed=pitches | (np.arange(len(pitches)) < encoding.parts[1][0]),
    )
    assert drawn.log_fitting is not None
    shares = np.exp(drawn.log_future + drawn.log_fitting)
    found: dict[str, float] = defaultdict(float)
    for row, share in zip(drawn.tokens, shares / shares.sum(), strict=True):
        found[" ".join(encoding.vocabulary[token] for token in row if token)] += share
    nats = {}
    for text in (*(f"1/4 {a}" for a in "CD"), *(f"1/8 {a} 1/8 {b}" for a in "CD" for b in "CD")):
        name = text.replace("C", "C4").replace("D", "D4")
        new = parse_tokens(encoding, name)
        whole = np.concatenate([around.past, new, around.future])[None]
        log_probs = np.asarray(network.log_probs(whole, bars=bars[:1]).detach(), dtype=float)[0]
        nats[name] = log_probs[np.arange(whole.shape[1]), whole[0]][len(around.past) :].sum()
        for place in range(len(around.past) + 1, len(around.past) + len(new), 2):
            nats[name] -= np.log(np.exp(log_probs[place, pitches]).sum())  # pitches are those of the range
    exact = np.exp(list(nats.values())) / np.exp(list(nats.values())).sum()
    np.testing.assert_allclose([found[name] for name in nats], exact, atol=0.02)
    unweighted = np.bincount([len(row[row > 0]) for row in drawn.tokens])[[2, 4]] / len(bars.pickup)
    assert abs(unweighted[0] - exact[:2].sum()) > 0.05


def test_the_future_decides_between_candidates() -> None:
    weights = Candidates(np.zeros((3, 1), dtype=int), np.zeros(3), np.log([0.5, 0.25, 0.25]), None)
    drawn = [weights.chosen(np.random.default_rng(seed)) for seed in range(4000)]
    np.testing.assert_allclose(np.bincount(drawn) / 4000, [0.5, 0.25, 0.25], atol=0.03)
    hopeless = replace(weights, log_future=np.full(3, -np.inf))
    assert hopeless.chosen(np.random.default_rng(1)) in (0, 1, 2)


def test_resampling_draws_from_the_true_posterior() -> None:
    """Against a chain whose posterior is worked out by hand: p(b | a, c) = p(b | a) p(c | b) / p(c | a)."""
    transition = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4]])

    class Chain:
        vocabulary_size = 3

        def start(self, melodies: int) -> tuple[np.ndarray, None]:
            return np.log(np.full((melodies, 3), 1 / 3)), None

        def step(self, tokens: np.ndarray, state: None) -> tuple[np.ndarray, None]:
            return np.log(transition[tokens]), None

        def log_probs(self, tokens: np.ndarray) -> np.ndarray:
            first = np.log(np.full((len(tokens), 1, 3), 1 / 3))
            return np.concatenate([first, np.log(transition[tokens[:, :-1]])], axis=1)

    for temperature in (1.0, 2.0):
        step = transition ** (1 / temperature)
        step /= step.sum(axis=1, keepdims=True)
        exact = step[0] * step[:, 2] / (step[0] @ step[:, 2])
        around = InfillContext(np.array([0]), 1, np.array([2]), np.array([2]), ((0, 1),), 0, 1, 1, begins_anew=False)
        found = []
        for seed in range(1000):
            rng = np.random.default_rng(seed)
            drawn = draw_candidates(
                Chain(),
                around,
                rng,
                encoding=EventsEncoding(("C4", "D4", "E4")),
                bars=Bars.common_time(64),
                sampling=SamplingOptions(temperature=temperature),
            )
            found.append(int(drawn.tokens[drawn.chosen(rng), 0]))
        np.testing.assert_allclose(np.bincount(found, minlength=3) / 1000, exact, atol=0.035)


@pytest.mark.e2e
def test_the_continuation_is_likelier_than_after_the_first_candidate() -> None:
    """On people's tunes that the model did not learn, judged by the model and by the one before tuning."""
    composer = judge = load("tunes+rl-tuner")
    tunes = [one for one in load_builtin("tunes").melodies("test") if one.bars >= 8][:4]
    gained: dict[str, list[float]] = {"own": [], "other": []}
    for number, tune in enumerate(tunes):
        gap = InfillSpan.from_bars(tune, BarRange(3, 4))
        around = InfillContext.from_melody(tune, gap, composer.encoding)
        bars = Bars.from_meter(tune.meter, melodies=64, ticks_per_step=6, pickup=tune.pickup, key=tune.key)
        rng = generator(1, "rewrite", number)
        drawn = draw_candidates(
            composer.model, around, rng, encoding=composer.encoding, bars=bars, sampling=SamplingOptions()
        )
        chosen = drawn.chosen(rng)
        gained["own"].append(drawn.log_future[chosen] - drawn.log_future[0])
        whole = around.whole(drawn.tokens[[chosen, 0]], composer.encoding)
        log_probs = np.asarray(judge.prior.log_probs(whole), dtype=np.float64)
        nats = np.take_along_axis(log_probs, whole[..., None], axis=-1)[:, -len(around.future) :, 0].sum(axis=1)
        gained["other"].append(nats[0] - nats[1])
    assert np.mean(gained["own"]) > 1
    assert np.mean(gained["other"]) > 0


@pytest.mark.parametrize("key", ["E minor", "Ab major"])
def test_ranges_rules_and_keys(grid: Composer, key: str) -> None:
    tune = grid.compose(bars=6, key=key, meter="3/4", seed=3)
    made = grid.rewrite(tune, 3, 4, range="D4-D5", constrain="rl-tuner:key", seed=1, melodies=3)
    for one in made:
        new = [n for n in one.sounding if 144 <= n.onset < 288]
        assert all(62 <= n.top <= 74 and n.top % 12 in Key.parse(key).pitch_classes for n in new)
        assert one.rules_broken == 0
        assert one.log_likelihood < 0
    rules = load_rules("rl-tuner:key")
    assert grid.rewrite(tune, 3, 4, range="D4-D5", constrain=rules, seed=1) == made[:1]
    with pytest.raises(UsageError, match="range"):
        grid.rewrite(tune, 3, 4, range="G8-G9")


@pytest.mark.parametrize(("first", "last"), [(0, 1), (3, 2), (-1, 1), (9, 9), (1, 9)])
def test_bars_that_are_not_there(grid: Composer, first: int, last: int) -> None:
    with pytest.raises(UsageError):
        grid.rewrite(LONG, first, last)


def test_what_makes_no_sense(grid: Composer, events: Composer) -> None:
    with pytest.raises(UsageError, match="no note"):
        grid.rewrite(Melody((), length=960), 1, 2)
    with pytest.raises(UsageError, match="held through"):
        grid.rewrite(Melody.from_pitches([(60, 300)]), 2, 2)
    with pytest.raises(UsageError, match="no note begins"):
        events.rewrite(Melody.from_pitches([(60, 96), (None, 96), (62, 96)]), 2, 2)
    for silly in (0, 10_001):
        with pytest.raises(UsageError):
            grid.rewrite(LONG, 1, 2, melodies=silly)
    with pytest.raises(UsageError, match="of no piece"):
        grid.compose_many(1, ComposeOptions(bars=BarRange(5, 8)))
    pickup = Melody.from_pitches([(60, 24), (62, 96), (64, 72)], pickup=24, key=Key())
    made = grid.rewrite(pickup, 2, 2)[0]
    assert made.length == 192  # the last bar completes the pickup
    assert outside(made, 120, 192) == list(pickup.notes[:2])
    assert outside(grid.rewrite(pickup, 0, 0)[0], 0, 24) == list(pickup.notes[1:])
    with pytest.raises(UsageError) as refused:
        grid.rewrite(pickup, 2, 7)
    assert "2 bars" in refused.value.hint


def test_a_model_without_time_keeps_the_rhythm(events: Composer) -> None:
    tune = Melody.from_pitches([(60, 36), (62, 12), (64, 48), (60, 24), (66, 72), (69, 96)], key=Key())
    made = events.rewrite(tune, 2, 2, seed=5)[0]
    assert [(n.onset, n.duration) for n in made.notes] == [(n.onset, n.duration) for n in tune.notes]
    assert len(made.tokens) == 2


@pytest.mark.parametrize(
    ("text", "bars"), [("5-8", (5, 8)), (" 5 - 5 ", (5, 5)), ("0-1", (0, 1)), ("5", None), ("8-5", None), ("٥-٨", None)]
)
def test_ranges_of_bars_as_they_are_typed(text: str, bars: tuple[int, int] | None) -> None:
    if bars is None:
        with pytest.raises(UsageError):
            BarRange.parse(text)
    else:
        assert (BarRange.parse(text).first, BarRange.parse(text).last) == bars
