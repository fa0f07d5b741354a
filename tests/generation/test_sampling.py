"""Drawing tokens: the cut-offs keep what they promise, and melodies do not depend on their neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.errors import UsageError
from cantilena.generation import SamplingOptions, choose, sample


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
