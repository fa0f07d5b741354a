"""Tuning: rewards rise, the prior stays, and any bundle of any encoding and length can be tuned, also again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cantilena.errors import UsageError
from cantilena.generation import ComposeOptions, Composer
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.rl import (
    LEARNERS,
    MusicReward,
    PolicyOptions,
    TuningOptions,
    ValueOptions,
    WatchOptions,
    music_reward,
    sample_melodies,
    tune,
    tune_module,
)
from cantilena.rl.algorithms.ppo import mean_where
from cantilena.rl.algorithms.rloo import baseline, mean_of_others, reward_to_go
from cantilena.rules import RULE_SETS
from cantilena.tokenizers import END, Encoding, EventsEncoding, GridEncoding, NotesEncoding

SMALL = NetworkOptions(width=16, embedding=12)
GRID = GridEncoding()
CHORDS = EventsEncoding(("C4", "D4", "E4", "F#4", "G4", "C5", "0.4.7", "2.6.9"))
ENCODINGS = {
    "low": GridEncoding(21, 59),
    "wide": GridEncoding(0, 127),
    "octave": GridEncoding(60, 71),
    "triplets": GridEncoding(steps_per_quarter=3),
    "chords": CHORDS,
    "whole chords": EventsEncoding(("C4", "C4+E4+G4", "D4+F#4+A4"), chords="full"),
}
NOTES = {"notes": NotesEncoding(), "notes and chords": NotesEncoding(chords=((), (5,), (4, 9)))}
ALGORITHMS = tuple(name for name in LEARNERS if name != "mpo")  # which is tested in test_mpo.py


def some_quick(*names: str) -> list[Any]:
    """All algorithms, those not named among the long tests."""
    return [pytest.param(one, marks=() if one in names else pytest.mark.e2e) for one in ALGORITHMS]


TOKENS = np.random.default_rng(1).integers(0, 38, (6, 16))


def bundle(encoding: Encoding = GRID, shape: NetworkOptions = SMALL) -> Bundle:
    weights = Network(shape, len(encoding.vocabulary), seed=3).numpy_weights()
    return Bundle(shape, weights, encoding.description(), provenance={"plain_keys": False})


def notes_bundle(encoding: NotesEncoding = NOTES["notes"]) -> Bundle:
    pitches = encoding.high - encoding.low + 1
    return bundle(encoding, replace(SMALL, width=16, durations=encoding.durations, pitches=pitches))


def options(algorithm: str, **changes: Any) -> TuningOptions:
    usual: dict[str, Any] = {
        "updates": 2,
        "melodies": 8,
        "steps": 16,
        "device": "cpu",
        "value": ValueOptions(replay=16),
        "watch": WatchOptions(look=0),
    }
    return TuningOptions(algorithm=algorithm, **usual | changes)  # type: ignore[arg-type]


def longer(algorithm: str, **changes: Any) -> TuningOptions:
    """Options with which rewards rise visibly."""
    value = ValueOptions(replay=256, exploration_share=0.3)
    return options(algorithm, **{"updates": 60, "melodies": 48, "learning_rate": 0.01, "value": value} | changes)


@pytest.mark.parametrize(
    ("algorithm", "rules", "updates", "gain"), [("rloo", "rl-tuner", 30, 5.0), ("q", "paper", 40, 2.0)]
)
def test_rewards_rise_and_the_prior_stays(algorithm: str, rules: str, updates: int, gain: float) -> None:
    untuned = bundle(shape=NetworkOptions(width=24, embedding=16))
    tuned = tune(untuned, longer(algorithm, rules=rules, updates=updates, melodies=32))
    totals = np.sum(list(tuned.history.terms.values()), axis=0)
    assert totals[-10:].mean() > totals[:10].mean() + gain
    assert tuned.bundle.prior_weights is not None
    for name, weight in untuned.weights.items():
        np.testing.assert_array_equal(tuned.bundle.prior_weights[name], weight)
    assert any(not np.array_equal(tuned.bundle.weights[name], weight) for name, weight in untuned.weights.items())
    assert tuned.bundle.policy == {"rloo": "likelihood", "q": "softmax-q"}[algorithm]
    assert tuned.steps == updates * 32 * 16


@pytest.mark.parametrize(
    ("algorithm", "size"),
    [
        ("q", {"updates": 20, "melodies": 32, "steps": 8}),
        pytest.param("rloo", {"updates": 40}, marks=pytest.mark.e2e),
    ],
)
def test_rewards_rise_for_the_events_encoding(algorithm: str, size: dict[str, int]) -> None:
    encoding = EventsEncoding(("C4", "D4", "E4", "F#4", "0.4.7", "2.6.9"))
    tuned = tune(bundle(encoding), longer(algorithm, rules="paper", **size))
    key = np.array(tuned.history.terms["key"])
    assert key[-5:].mean() > key[:5].mean()  # F# and the chord on D are not in C major


@pytest.mark.e2e
def test_a_target_kl_keeps_the_model_near_its_prior() -> None:
    asked = longer("rloo", updates=50, melodies=16, steps=8, c=0.5)
    free, held = tune(bundle(), asked), tune(bundle(), replace(asked, target_kl=0.1))
    assert np.mean(held.history.kl[-10:]) < np.mean(free.history.kl[-10:])
    assert held.history.c[0] == 0.5
    assert held.history.c[-1] > 0.5


def test_a_callback_changes_nothing() -> None:
    asked = longer("rloo", updates=6, watch=WatchOptions(look=3, watched=16))
    calls: list[tuple[int, float, int]] = []
    without = tune(bundle(), asked)
    with_it = tune(
        bundle(),
        asked,
        after_update=lambda state: calls.append((state.updates, state.history.kl[-1], len(state.checks))),
    )
    assert [updates for updates, _, _ in calls] == [1, 2, 3, 4, 5, 6]
    assert [checks for _, _, checks in calls] == [0, 0, 1, 1, 1, 2]
    assert [kl for _, kl, _ in calls] == without.history.kl == with_it.history.kl
    for name, weight in without.bundle.weights.items():
        np.testing.assert_array_equal(with_it.bundle.weights[name], weight)


def test_rewards_are_clipped_for_the_learner_but_not_in_the_terms() -> None:
    reward = music_reward(bundle(), TuningOptions(c=2.0, clip=10.0))
    assert isinstance(reward, MusicReward)
    terms = reward.terms(np.full((1, 32), 0))
    assert terms["repetition"].min() == -100.0
    clipped = {name: np.clip(term, -10, 10) for name, term in terms.items()}
    np.testing.assert_allclose(reward.scaled(terms), sum(clipped.values()) / 2.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"rules": "jazz"}, "no rule set"), ({"weights": ("swing=2",)}, "swing"), ({"weights": ("self=3",)}, "self")],
)
def test_unknown_rules_and_weights_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        music_reward(bundle(), TuningOptions(**changes))


def test_samples_follow_the_model() -> None:
    network = Network(SMALL, 38, seed=3)
    tokens = sample_melodies(network, 4000, 1, torch.Generator().manual_seed(1))
    shares = np.bincount(tokens[:, 0].numpy(), minlength=38) / 4000
    expected = network.start(1)[0][0].exp().numpy()
    np.testing.assert_allclose(shares, expected, atol=4 * np.sqrt(0.25 / 4000) + 0.005)
    uniform = sample_melodies(network, 4000, 1, torch.Generator().manual_seed(1), epsilon=1.0)
    assert np.bincount(uniform[:, 0].numpy(), minlength=38).min() > 60


# ------------------------------------------------------------------------------------------ any model and length


@pytest.mark.parametrize(
    ("algorithm", "name", "rules"),
    [  # each encoding with each algorithm, and these with each rule set, at once
        pytest.param(algorithm, name, rules, marks=() if (place + number) % 3 == 0 else pytest.mark.e2e)
        for algorithm in ("rloo", "q")
        for place, name in enumerate(ENCODINGS)
        for number, rules in enumerate(("rl-tuner", "paper", "cantilena"))
    ],
)
def test_every_encoding_is_tuned_and_composes(algorithm: str, name: str, rules: str) -> None:
    encoding = ENCODINGS[name]
    tuned = tune(bundle(encoding), options(algorithm, rules=rules))
    assert set(tuned.history.terms) == set(RULE_SETS[rules].without_chords().names)
    for term in tuned.history.terms.values():
        assert np.isfinite(term).all()
    composer = Composer.from_bundle(tuned.bundle)
    assert composer.encoding == encoding
    made = composer.compose_many(2, ComposeOptions(events=24, constrain=f"{rules}:key"))
    assert all(len(melody.tokens) == 24 for melody in made)
    assert all(np.isfinite([melody.log_likelihood, melody.policy_log_likelihood]).all() for melody in made)


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        pytest.param(algorithm, name, marks=() if name == "notes" or algorithm in ("rloo", "q") else pytest.mark.e2e)
        for algorithm in ALGORITHMS
        for name in NOTES
    ],
)
def test_models_of_notes_are_tuned_and_compose(algorithm: str, name: str) -> None:
    untuned, watch = notes_bundle(NOTES[name]), WatchOptions(look=2, watched=16)
    policy = PolicyOptions(entropy_bonus=0.01, passes=1, minibatches=2)
    asked = options(algorithm, rules="paper", updates=2, steps=8, watch=watch, policy=policy, target_kl=1.0)
    tuned = tune(untuned, asked)
    assert tuned.steps == 2 * 8 * 8
    history = tuned.history
    for values in (*history.terms.values(), history.log_p, history.kl, history.entropy):
        assert np.isfinite(values).all()
    assert min(history.kl) > -1e-6
    assert max(history.kl) < 0.5
    assert any((tuned.bundle.weights[key] != weight).any() for key, weight in untuned.weights.items())
    bars = music_reward(untuned, options(algorithm)).bars(5, steps=8)
    log_probs, state = tuned.bundle.model().start(5, bars=bars)  # type: ignore[call-arg]
    made = np.zeros((5, 0), dtype=np.int64)
    while not made.shape[1] or (made[:, -1] != END).any():
        made = np.concatenate([made, np.argmax(np.asarray(log_probs), axis=1)[:, None]], axis=1)
        log_probs, state = tuned.bundle.model().step(made[:, -1], state)
    assert {tuned.bundle.encoding.decode(row).length for row in made} == {48}


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("changes", [{"exploration": "boltzmann"}, {"priority": 0.6}], ids=str)
@pytest.mark.parametrize("algorithm", ["q", "g"])
def test_models_of_notes_learn_with_each_kind_of_exploration_and_replay(
    algorithm: str, changes: dict[str, Any]
) -> None:
    tuned = tune(notes_bundle(), options(algorithm, rules="paper", value=ValueOptions(replay=16, **changes)))
    assert np.isfinite(tuned.history.kl).all()


@pytest.mark.parametrize(
    ("algorithm", "gain"),
    [
        pytest.param("rloo", 4.0, marks=pytest.mark.e2e),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in (("ppo", 2.0), ("psi", 0.5))),
    ],
)
def test_rewards_rise_for_notes(algorithm: str, gain: float) -> None:
    value = ValueOptions(replay=256, exploration="none", gamma=0.9, updates_per_batch=2)
    size = {"updates": 40, "melodies": 24, "steps": 8} if algorithm == "rloo" else {"updates": 40, "melodies": 48}
    tuned = tune(notes_bundle(), options(algorithm, rules="paper", learning_rate=0.02, value=value, c=0.5, **size))
    totals = np.sum(list(tuned.history.terms.values()), axis=0)
    assert totals[-5:].mean() > totals[:5].mean() + gain


@pytest.mark.parametrize(("model", "rate"), [(bundle(), 0.003), (notes_bundle(), 0.001)], ids=["grid", "notes"])
def test_models_of_notes_learn_more_slowly_by_default(model: Bundle, rate: float) -> None:
    asked = options("rloo", updates=1, rules="paper")
    by_default, given = (tune(model, one).bundle.weights for one in (asked, replace(asked, learning_rate=rate)))
    for name, weight in by_default.items():
        np.testing.assert_array_equal(weight, given[name])


def test_the_baseline_is_the_mean_of_the_others_from_the_same_time_on() -> None:
    rewards, places = torch.randn(6, 9), torch.arange(9).expand(6, 9)
    torch.testing.assert_close(baseline(rewards, places, 9, 3), mean_of_others(reward_to_go(rewards), 3))
    # The others begin notes at other times: all that they get from step 2 on counts.
    rewards = torch.tensor([[0.0, 1.0, 0.0, 2.0], [0.0, 4.0, 0.0, 8.0], [0.0, 16.0, 0.0, 32.0]])
    places = torch.tensor([[0, 0, 2, 2], [0, 0, 3, 3], [0, 0, 1, 1]])
    assert baseline(rewards, places, 5).tolist()[0] == [30.0, 30.0, 4.0, 4.0]


def test_a_mean_leaves_padding_out() -> None:
    values, counted = torch.tensor([[1.0, 2.0], [3.0, 99.0]]), torch.tensor([[True, True], [True, False]])
    assert float(mean_where(values, counted)) == pytest.approx(2.0)
    assert float(mean_where(values, torch.ones_like(counted))) == float(values.mean())


@pytest.mark.parametrize("algorithm", some_quick("rloo", "ppo", "q", "g"))
def test_a_transformer_is_tuned_and_composes_beyond_its_context(algorithm: str) -> None:
    shape = NetworkOptions(core="transformer", layers=2, width=16, embedding=8, max_context=10)
    before = bundle(GRID, shape)
    tuned = tune(before, options(algorithm))
    assert tuned.bundle.options == shape
    assert all(np.isfinite(term).all() for term in tuned.history.terms.values())
    assert tuned.bundle.prior_weights is not None
    name = next(name for name, weight in before.weights.items() if "core.layers.1" in name and weight.ndim == 2)
    assert (tuned.bundle.weights[name] != before.weights[name]).any()
    np.testing.assert_array_equal(tuned.bundle.prior_weights[name], before.weights[name])
    made = Composer.from_bundle(tuned.bundle).compose(events=40)
    assert len(made.tokens) == 40


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize("steps", [8, pytest.param(512, marks=pytest.mark.e2e)])
@pytest.mark.parametrize("encoding", [GRID, CHORDS], ids=["grid", "chords"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_shortest_and_longest_melodies(algorithm: str, encoding: Encoding, steps: int) -> None:
    tuned = tune(bundle(encoding), options(algorithm, steps=steps))
    assert tuned.steps == 2 * 8 * steps
    assert all(np.isfinite(term).all() for term in tuned.history.terms.values())
    made = Composer.from_bundle(tuned.bundle).compose(events=steps)
    assert len(made.tokens) == steps


def test_the_reference_mode_refuses_notes() -> None:
    with pytest.raises(UsageError, match="a model of the grid, not of notes"):
        tune(notes_bundle(), options("q", reference_mode=True))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (NetworkOptions(core="transformer", width=16, embedding=8), "recurrent"),
        (NetworkOptions(width=8, input="paper", window=4), "reference mode"),
    ],
)
def test_the_reference_mode_needs_a_recurrent_network_with_features(shape: NetworkOptions, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        tune(bundle(GRID, shape), options("q", reference_mode=True))
    assert len(tune(bundle(GRID, shape), options("q", updates=1, melodies=4)).history.kl) == 1


class LikeCudnn(nn.LSTM):
    """Computes gradients in training mode only, as cuDNN does."""

    def forward(self, input: Tensor, hx: Any = None) -> Any:  # noqa: A002  (torch's own names)
        if torch.is_grad_enabled() and self.weight_ih_l0.requires_grad and not self.training:
            raise RuntimeError("cudnn RNN backward can only be called in training mode")
        return super().forward(input, hx)


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "rloo"},
        {"algorithm": "ppo", "policy": PolicyOptions(passes=1)},
        {"algorithm": "q"},
        {"algorithm": "g"},
        {"algorithm": "rejection"},
        {"algorithm": "psi", "reference_mode": True},
    ],
    ids=lambda changes: "-".join(map(str, changes.values()))[:20],
)
def test_recurrent_layers_learn_in_training_mode_without_dropout(changes: dict[str, Any]) -> None:
    shape = NetworkOptions(width=12, embedding=8, layers=2, dropout=0.5)
    plain, strict = Network(shape, 38, seed=3), Network(shape, 38, seed=3)
    strict.core.__class__ = LikeCudnn
    asked = options(**changes, melodies=4, steps=8)
    tune_module(plain, GRID, asked)
    tune_module(strict, GRID, asked)
    for one, other in zip(plain.parameters(), strict.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not any(layer.training for layer in strict.modules())
    assert strict.core.dropout == 0.5


# --------------------------------------------------------------------------------------------- tuning a tuned model


def log_probs(model: Bundle, *, prior: bool = False) -> np.ndarray:
    return np.asarray((model.prior() if prior else model.model()).log_probs(TOKENS))


@pytest.fixture(scope="module")
def untuned() -> Bundle:
    return bundle()


@pytest.fixture(scope="module")
def once(untuned: Bundle) -> dict[str, Bundle]:
    """The bundle, tuned once by some algorithms."""
    return {name: tune(untuned, options(name, updates=3, learning_rate=0.05)).bundle for name in ("rloo", "q", "g")}


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("first", ["rloo", "q", "g"])
@pytest.mark.parametrize("mode", [False, True], ids=["ours", "reference"])
def test_g_learning_composes_with_the_prior_that_it_was_trained_with(
    untuned: Bundle, once: dict[str, Bundle], first: str, mode: bool
) -> None:
    again = tune(once[first], options("g", learning_rate=1e-12, reference_mode=mode))
    np.testing.assert_array_equal(log_probs(again.bundle, prior=True), log_probs(untuned))
    if not mode:  # G started at 0 and hardly changed, so the untuned model composes
        np.testing.assert_allclose(log_probs(again.bundle), log_probs(untuned), atol=1e-4)
        assert max(again.history.kl) < 1e-6


@pytest.mark.parametrize("algorithm", ["rloo", "ppo", "q", "psi", "rejection"])
def test_the_kl_is_that_from_the_untuned_model(untuned: Bundle, once: dict[str, Bundle], algorithm: str) -> None:
    again = tune(once["rloo"], options(algorithm, learning_rate=1e-9, updates=1, melodies=96))
    policy, prior = log_probs(once["rloo"]), log_probs(untuned)
    assert (np.exp(policy) * (policy - prior)).sum(-1).mean() > 0.02
    assert again.history.kl[0] > 0.02
    np.testing.assert_allclose(log_probs(again.bundle), policy, atol=1e-4)


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != "g"])
def test_a_network_tuned_by_g_is_no_policy(once: dict[str, Bundle], algorithm: str) -> None:
    with pytest.raises(UsageError, match="tuned by g") as refused:
        tune(once["g"], options(algorithm))
    assert "--algorithm g" in refused.value.hint


def test_the_provenance_has_c(untuned: Bundle) -> None:
    asked = options("q", rules="cantilena")
    record = tune(untuned, asked).bundle.provenance["tuning"]
    assert record["c"] == pytest.approx(0.1)
    assert tune(untuned, replace(asked, c=0.7)).bundle.provenance["tuning"]["c"] == 0.7


def test_a_small_network_is_tuned_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    before, seen = torch.get_num_threads(), []
    options = TuningOptions(updates=2, melodies=8, steps=16, watch=WatchOptions(look=0))
    torch.set_num_threads(2)
    try:
        tune_module(Network(SMALL, 38), GRID, options, after_update=lambda _: seen.append(torch.get_num_threads()))
        assert (seen, torch.get_num_threads()) == ([1, 1], 2)
    finally:
        torch.set_num_threads(before)
