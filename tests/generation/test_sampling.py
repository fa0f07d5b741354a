"""Drawing tokens: the cut-offs keep what they promise, and melodies do not depend on their neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.generation import SamplingOptions, choose, sample
from cantilena.generation.sampling import token_budget
from cantilena.models import Bars, Network, NetworkOptions
from cantilena.music import Melody, Meter
from cantilena.tokenizers import END, NotesEncoding, token_pitches


class Coin:
    """A model that knows one fixed distribution, except that a token is never followed by itself."""

    vocabulary_size = 4
    base = np.array([0.4, 0.3, 0.2, 0.1])

    def start(self, melodies: int) -> tuple[np.ndarray, None]:
        return np.log(np.tile(self.base, (melodies, 1))), None

    def step(self, tokens: np.ndarray, state: None) -> tuple[np.ndarray, None]:
        probabilities = np.tile(self.base, (len(tokens), 1))
        probabilities[np.arange(len(tokens)), tokens] = 1e-300
        return np.log(probabilities / probabilities.sum(1, keepdims=True)), None

    def log_probs(self, tokens: np.ndarray) -> np.ndarray:
        steps = [self.start(len(tokens))[0], *(self.step(column, None)[0] for column in tokens.T[:-1])]
        return np.stack(steps, axis=1)


UNIFORMS = np.random.default_rng(3).random((200, 16))


def test_frequencies_follow_the_model_and_likelihoods_are_its_own() -> None:
    samples = sample(Coin(), np.random.default_rng(1).random((20_000, 1)))
    shares = np.bincount(samples.tokens[:, 0], minlength=4) / 20_000
    np.testing.assert_allclose(shares, Coin.base, atol=0.015)
    drawn = sample(Coin(), UNIFORMS, options=SamplingOptions(temperature=3.0))
    chosen = np.take_along_axis(Coin().log_probs(drawn.tokens), drawn.tokens[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(drawn.log_likelihood, chosen.sum(1))


def test_a_melody_does_not_depend_on_the_batch() -> None:
    together = sample(Coin(), UNIFORMS).tokens
    np.testing.assert_array_equal(sample(Coin(), UNIFORMS[7:8]).tokens[0], together[7])


def test_greedy_takes_the_best_and_repeats_itself() -> None:
    tokens = sample(Coin(), UNIFORMS, options=SamplingOptions(greedy=True)).tokens
    assert tokens[0].tolist() == [0, 1] * 8
    assert (tokens == tokens[0]).all()


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (SamplingOptions(top_k=2), {0, 1}),
        (SamplingOptions(top_p=0.4), {0}),
        (SamplingOptions(top_p=0.65), {0, 1}),
        (SamplingOptions(top_p=0.95), {0, 1, 2, 3}),
        (SamplingOptions(top_k=1, top_p=1.0), {0}),
    ],
)
def test_cut_offs_keep_the_most_probable(options: SamplingOptions, kept: set[int]) -> None:
    log_probs = np.log(np.tile(Coin.base, (4000, 1)))
    assert set(choose(log_probs, np.random.default_rng(2).random(4000), options).tolist()) == kept


def test_only_allowed_tokens_are_drawn_even_where_the_model_gives_them_nothing() -> None:
    allowed = np.array([False, False, False, True])
    assert set(sample(Coin(), UNIFORMS, allowed=allowed).tokens.ravel().tolist()) == {3}
    with pytest.raises(UsageError, match="no note"):
        sample(Coin(), UNIFORMS, allowed=np.zeros(4, dtype=bool))


@pytest.mark.parametrize("edge", [0.0, np.nextafter(1.0, 0.0)])
def test_the_edges_of_the_uniform_draw_stay_inside(edge: float) -> None:
    token = choose(np.log(Coin.base)[None], np.array([edge]), SamplingOptions())[0]
    assert token == (0 if edge == 0.0 else 3)


@pytest.mark.parametrize("bad", [{"temperature": 0.0}, {"top_k": -1}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_silly_options_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        SamplingOptions(**bad)


ENCODINGS = [
    NotesEncoding(),
    NotesEncoding((1, 3, 8, 24), 60, 83, ((), (4, 7), (11,))),
    NotesEncoding((1, 5), 48, 59),
]


class Uniform:
    """All tokens are equally probable at each step: a model that knows nothing of the parts of notes."""

    def __init__(self, encoding: NotesEncoding) -> None:
        self.vocabulary_size = len(encoding.vocabulary)

    def start(self, melodies: int) -> tuple[np.ndarray, None]:
        return np.full((melodies, self.vocabulary_size), -np.log(self.vocabulary_size)), None

    def step(self, tokens: np.ndarray, state: None) -> tuple[np.ndarray, None]:
        return self.start(len(tokens))

    def log_probs(self, tokens: np.ndarray) -> np.ndarray:
        return np.full((*tokens.shape, self.vocabulary_size), -np.log(self.vocabulary_size))


def network_of(encoding: NotesEncoding) -> Network:
    pitches = encoding.high - encoding.low + 1
    options = NetworkOptions(width=16, embedding=16, durations=encoding.durations, pitches=pitches)
    return Network(options, len(encoding.vocabulary), seed=2)


@given(
    st.sampled_from(ENCODINGS),
    st.booleans(),
    st.integers(1, 400),
    st.lists(st.sampled_from([1, 3, 5, 8, 24]), max_size=3),
    st.integers(0, 99),
    st.sampled_from([0, 1, 7]),
    st.sampled_from([SamplingOptions(), SamplingOptions(greedy=True), SamplingOptions(temperature=9.0, top_k=3)]),
)
@settings(max_examples=12, deadline=None)
def test_notes_reach_their_length_with_any_model_and_any_budget(
    encoding: NotesEncoding,
    is_network: bool,
    ticks: int,
    before: list[int],
    seed: int,
    spare: int,
    options: SamplingOptions,
) -> None:
    """However few tokens are left, longer notes lead to the end; rows do not depend on each other."""
    primer = encoding.encode(Melody.from_pitches([(60, duration) for duration in before]))
    bars = Bars.from_meter(Meter(3, 4), melodies=3, ticks_per_step=1, pickup=5, length=sum(before) + ticks)
    longest, needed, left = encoding.durations[::-1], 0, ticks
    for duration in longest:
        needed, left = needed + left // duration, left % duration
    budget = len(encoding.parts) * (needed + spare) + seed % 2
    model = network_of(encoding) if is_network else Uniform(encoding)
    uniforms = np.random.default_rng(seed).random((3, budget))
    drawn = sample(model, uniforms, options=options, primer=primer, bars=bars, encoding=encoding)
    for row in drawn.tokens:
        melody = encoding.decode(np.concatenate([primer, row]))
        assert melody.length == sum(before) + ticks
        assert encoding.encode(melody).tolist() == [*primer, *row[row != END]]
    alone = sample(model, uniforms[1:2], options=options, primer=primer, bars=bars[:1], encoding=encoding)
    assert alone.tokens[0].tolist() == drawn.tokens[1, : alone.tokens.shape[1]].tolist()
    assert not drawn.tokens[1, alone.tokens.shape[1] :].any()
    assert alone.log_likelihood[0] == pytest.approx(drawn.log_likelihood[1], abs=1e-3)
    if needed > 1:
        with pytest.raises(UsageError, match="ticks long"):
            sample(
                model,
                uniforms[:, : len(encoding.parts) * (needed - 1)],
                primer=primer,
                bars=bars,
                encoding=encoding,
            )


def test_the_budget_of_a_length_is_never_too_small() -> None:
    for encoding in ENCODINGS:
        for ticks in (1, 2, 7, 96, 1000):
            bars = Bars.from_meter(Meter(), melodies=1, ticks_per_step=1, length=ticks)
            uniforms = np.random.default_rng(ticks).random((1, token_budget(encoding, ticks)))
            tokens = sample(Uniform(encoding), uniforms, bars=bars, encoding=encoding).tokens[0]
            assert encoding.decode(tokens).length == ticks


def test_a_model_of_notes_that_is_told_no_length_ends_where_it_will() -> None:
    encoding, uniforms = NotesEncoding(), np.random.default_rng(2).random((30, 60))
    network = network_of(encoding)
    free = sample(network, uniforms, encoding=encoding)
    lengths = (free.tokens != END).sum(axis=1)
    assert lengths.min() < lengths.max() == free.tokens.shape[1]
    log_probs = network.log_probs(free.tokens).detach().numpy().astype(float)
    own = np.take_along_axis(log_probs, free.tokens[..., None], axis=-1)[..., 0]
    until_end = np.arange(own.shape[1])[None, :] <= lengths[:, None]
    np.testing.assert_allclose(free.log_likelihood, (own * until_end).sum(axis=1), atol=1e-3)
    np.testing.assert_allclose(free.log_likelihood, own.sum(axis=1), atol=1e-3)  # what follows END is certain
    going_on = sample(network, uniforms, encoding=encoding, end=0)
    assert going_on.tokens.shape == (30, 60)
    assert (going_on.tokens != END).all()


def test_notes_of_chords_lie_in_the_range_too() -> None:
    encoding = ENCODINGS[1]
    allowed = np.array([not pitches or pitches[0] >= 65 for pitches in token_pitches(encoding)])
    uniforms = np.random.default_rng(3).random((40, 60))
    tokens = sample(Uniform(encoding), uniforms, encoding=encoding, allowed=allowed, end=0).tokens
    notes = [note for row in tokens for note in encoding.decode(row).sounding]
    assert any(note.is_chord for note in notes)
    assert min(pitch for note in notes for pitch in note.pitches) >= 65
