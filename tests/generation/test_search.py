"""Searching among candidates: the distribution that it draws from, rules, critics, and what it does not change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.errors import BundleError, UsageError
from cantilena.generation import ComposeOptions, Composer, SamplingOptions, load
from cantilena.generation.sampling import Drawing
from cantilena.generation.search import Search
from cantilena.models import Bars, FormModel, MelodyCritic, Network, NetworkOptions, critic_features
from cantilena.models.critic import critic_shapes
from cantilena.music import Form, Meter
from cantilena.rules import Context, load_rules
from cantilena.tokenizers import GridEncoding, NotesEncoding

NOTES = NotesEncoding((1, 6, 12, 24, 36, 48), 60, 79)
FORMS = FormModel.learned_from([(Meter(), Form.parse("A4A'4B8"))], [(Meter(), 24), (Meter(), 0)])


@pytest.fixture(scope="module")
def composer() -> Composer:
    pitches = NOTES.high - NOTES.low + 1
    options = NetworkOptions(width=8, embedding=8, durations=NOTES.durations, pitches=pitches, plan=True)
    network = Network(options, len(NOTES.vocabulary), seed=2)
    return Composer(network, network, NOTES, forms=FORMS)


def critic(seed: int = 1, encoding: NotesEncoding = NOTES) -> MelodyCritic:
    rng = np.random.default_rng(seed)

    shapes = critic_shapes(critic_features(encoding).rows)
    return MelodyCritic(
        encoding, {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    )


class Garden:
    """Two first tokens of equal probability; after the first the third token has .9, after the second .1."""

    vocabulary_size = 4

    def start(self, melodies: int) -> tuple[Any, Any]:
        return np.tile(np.log([0.5, 0.5, 1e-9, 1e-9]), (melodies, 1)), None

    def step(self, tokens: Any, state: Any) -> tuple[Any, Any]:
        third = np.where(tokens == 0, 0.9, 0.1)[:, None]
        return np.log(np.concatenate([np.full((len(tokens), 2), 1e-9), third, 1.0 - third], axis=1)), ("opaque", tokens)

    def log_probs(self, tokens: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("steps_per_bar", [1, 2])  # resampled on the way, or weighed at the end
def test_candidates_are_drawn_given_all_that_is_left(steps_per_bar: int) -> None:
    melodies, count = 300, 16
    rows = melodies * count
    rng = np.random.default_rng(1)
    bars = Bars(np.full(rows, steps_per_bar), np.zeros(rows, dtype=np.int64))
    allowed = np.array([[True, True, False, False], [False, False, True, False]])
    drawing = Drawing(Garden(), rng.random((rows, 2)), allowed=allowed)
    rngs = [np.random.default_rng(number) for number in range(melodies)]
    samples = Search(rngs, GridEncoding(), Context())(drawing, bars)
    assert samples.tokens.shape == (melodies, 2)
    assert (samples.tokens[:, 1] == 2).all()
    assert abs((samples.tokens[:, 0] == 0).mean() - 0.9) < 0.05
    alone = Drawing(Garden(), rng.random((rows, 2)), allowed=allowed)
    while not alone.is_done:
        alone.advance()
    assert abs((alone.samples.tokens[:, 0] == 0).mean() - 0.5) < 0.05


def test_a_melody_depends_on_no_other(composer: Composer) -> None:
    options = ComposeOptions(bars=8, search=6)
    three = composer.compose_many(3, options, seed=4)
    assert three[:1] == composer.compose_many(1, options, seed=4)
    assert three != composer.compose_many(3, options, seed=5)
    *_, last = composer.stream(3, options, seed=4)
    assert list(last.compositions) == three
    assert composer.compose_many(2, replace(options, search=1), seed=4) == composer.compose_many(2, bars=8, seed=4)


def test_a_state_that_is_taken_goes_on_as_one_that_is_replayed(composer: Composer) -> None:
    def drawn(*, opaque: bool) -> np.ndarray[Any, Any]:
        model = Opaque(composer.model) if opaque else composer.model
        drawing = Drawing(model, **composer.plan(range(2), ComposeOptions(bars=4, search=4), 3).arguments)
        while not drawing.is_done:
            drawing.advance()
            if drawing.drawn in (5, 12):
                drawing.take(np.array([1, 1, 0, 3, 4, 4, 4, 6]))
        return np.column_stack([drawing.tokens, drawing.samples.log_likelihood.round(3), drawing.log_mass.round(3)])

    assert (drawn(opaque=True) == drawn(opaque=False)).all()


class Opaque:
    """A model that does not say what its state is made of."""

    uses_bars = True

    def __init__(self, model: Any) -> None:
        self.model, self.vocabulary_size = model, model.vocabulary_size

    def start(self, melodies: int, *, bars: Bars) -> tuple[Any, Any]:
        scores, state = self.model.start(melodies, bars=bars)
        return scores, [state]

    def step(self, tokens: Any, state: Any) -> tuple[Any, Any]:
        scores, state = self.model.step(tokens, state[0])
        return scores, [state]

    def log_probs(self, tokens: Any, *, bars: Bars) -> Any:
        return self.model.log_probs(tokens, bars=bars)


def test_rules_and_critics_weigh(composer: Composer) -> None:
    rules = load_rules("rl-tuner:key")

    def reward(**changes: Any) -> float:
        melodies = composer.compose_many(12, bars=4, form="free", seed=2, **changes)
        lines = [NOTES.line(NOTES.encode(NOTES.fit(melody).melody)[None]) for melody in melodies]
        return float(np.mean([rules.total(line, Context()).sum() for line in lines]))

    assert reward(search=12, rules="rl-tuner:key") > reward() + 1.0


def test_a_critic_weighs_whole_melodies(composer: Composer, tmp_path: Path) -> None:
    judge = critic()
    judge.save(tmp_path / "critic.safetensors")

    def odds(**changes: Any) -> float:
        melodies = composer.compose_many(16, bars=4, seed=2, form="free", **changes)
        rows = [NOTES.encode(NOTES.fit(melody).melody)[None] for melody in melodies]
        bars = Bars.from_meter(Meter(), melodies=1, ticks_per_step=1, length=4 * 96)
        return float(np.mean([judge.log_odds(row, bars)[0] for row in rows]))

    assert odds(search=12, critic=tmp_path / "critic.safetensors") > odds() + 0.1


def test_a_critic_is_kept_in_a_file(tmp_path: Path) -> None:
    judge = critic()
    path = tmp_path / "critic.safetensors"
    judge.save(path)
    again = MelodyCritic.load(path)
    tokens = np.array([[3, 8, 4, 10, 5, 12, 0, 0], [2, 9, 0, 0, 0, 0, 0, 0], [0] * 8])
    bars = Bars(np.full(3, 96), np.zeros(3, dtype=np.int64), length=np.array([72, 12, 0]))
    odds = judge.log_odds(tokens, bars)
    assert np.allclose(again.log_odds(tokens, bars), odds, atol=0.05)
    assert np.allclose(judge.log_odds(tokens[:1, :6], bars[:1]), odds[:1])  # padding says nothing
    assert odds[2] == 0.0
    with pytest.raises(BundleError, match="not those of a critic"):
        MelodyCritic(replace(NOTES, high=80), judge.weights)
    for content in (b"", b"x" * 100, path.read_bytes()[:-10]):
        (tmp_path / "damaged.safetensors").write_bytes(content)
        with pytest.raises(BundleError):
            MelodyCritic.load(tmp_path / "damaged.safetensors")


def test_what_makes_no_search_is_refused(composer: Composer, tmp_path: Path) -> None:
    for wrong in ({"search": 0}, {"search": 2000}, {"rules": "rl-tuner"}, {"critic": tmp_path / "none"}):
        with pytest.raises(UsageError, match="search"):
            ComposeOptions(**wrong)
    critic(encoding=replace(NOTES, high=80)).save(tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match="other tokens"):
        composer.compose(bars=2, search=2, critic=tmp_path / "other.safetensors")
    with pytest.raises(BundleError, match="no critic"):
        composer.compose(bars=2, search=2, critic=tmp_path / "missing.safetensors")
    with pytest.raises(UsageError, match="--search"):
        composer.rewrite(composer.compose(bars=4), 1, 2, ComposeOptions(search=4))


def test_a_grid_is_searched_too() -> None:
    grid = load("tunes+rl-tuner")
    melodies = grid.compose_many(2, bars=2, search=4, rules="rl-tuner", range="C4-G4", seed=1)
    assert all(60 <= note.top <= 67 for melody in melodies for note in melody.sounding)
    assert melodies == grid.compose_many(2, bars=2, search=4, rules="rl-tuner", range="C4-G4", seed=1)
    assert grid.compose(bars=1, search=2, sampling=SamplingOptions(temperature=0.8)).length == 96
