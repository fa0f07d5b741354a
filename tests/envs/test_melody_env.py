"""The environments: Gymnasium's own checks, the rewards of whole melodies step by step, vectorisation, rendering."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import FlattenObservation
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.envs import MelodyEnv, MelodyVectorEnv
from cantilena.errors import BundleError, UsageError
from cantilena.models import Bars, Bundle, Network, NetworkOptions, find_bundle
from cantilena.rl import MusicReward
from cantilena.rl.reward import padded_together
from cantilena.rules import RULE_SETS, Context, Rule, RuleSet
from cantilena.tokenizers import END, Encoding, EventsEncoding, GridEncoding, NotesEncoding

CHECKOUT = Path(__file__).resolve().parents[2]
MELODY = "cantilena/Melody-v0"
GRID, EVENTS = GridEncoding(), EventsEncoding(("C4", "D4", "E4", "F#4", "G4", "B4", "0.4.7", "2.6.9"))


NOTES = NotesEncoding()
CHORDS = NotesEncoding(chords=((), (5,), (4, 9)))


@cache
def bundle(encoding: Encoding = GRID) -> Bundle:
    options = NetworkOptions(width=24, embedding=16)
    if isinstance(encoding, NotesEncoding):
        options = replace(options, durations=encoding.durations, pitches=encoding.high - encoding.low + 1)
    network = Network(options, len(encoding.vocabulary), seed=3)
    return Bundle(options, network.numpy_weights(), encoding.description())


def reward(rules: str, encoding: Encoding = GRID, c: float = 0.5) -> MusicReward:
    return MusicReward(encoding, RULE_SETS[rules], Context(timed=encoding.has_rhythm), c, clip=10.0)


def played(env: MelodyEnv, tokens: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """Rewards, terms by rule and log p of one melody, step by step."""
    env.reset()
    steps = [env.step(token) for token in tokens]
    assert [terminated for _, _, terminated, _, _ in steps] == [False] * (len(tokens) - 1) + [True]
    assert not any(truncated for *_, truncated, _ in steps)
    infos = [info for *_, info in steps]
    terms = {name: np.array([info["terms"][name] for info in infos]) for name in infos[0]["terms"]}
    assert ["melody" in info for info in infos] == [False] * (len(tokens) - 1) + [True]
    np.testing.assert_array_equal(infos[-1]["melody"], tokens)
    return np.array([step[1] for step in steps]), terms, np.array([info["log_p"] for info in infos])


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"bundle": "tunes+rl-tuner", "rules": "paper", "steps": 8, "meter": "3/4"},
        {"bundle": "tunes", "rules": "paper", "steps": 8, "meter": "3/4"},
    ],
)
def test_the_checks_of_gymnasium_pass(arguments: dict[str, Any]) -> None:
    check_env(gymnasium.make(MELODY, **arguments).unwrapped)  # warnings are errors here


@pytest.mark.skipif(find_spec("stable_baselines3") is None, reason="stable-baselines3 is not installed")
@pytest.mark.parametrize("encoding", [GRID, EVENTS, NOTES], ids=["grid", "events", "notes"])
def test_stable_baselines3_trains_on_it(encoding: Encoding) -> None:
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_checker import check_env as check_with_stable_baselines
    from stable_baselines3.common.env_util import make_vec_env

    env = MelodyEnv(bundle(encoding), "paper", steps=8)
    check_with_stable_baselines(env)
    agent = PPO("MultiInputPolicy", env, n_steps=16, batch_size=16, n_epochs=1, device="cpu").learn(16)
    action, _ = agent.predict(env.reset()[0])
    assert action in env.action_space
    make_vec_env(MELODY, n_envs=2, env_kwargs={"steps": 4}).reset()


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("encoding", [GRID, EVENTS])
@pytest.mark.parametrize("rules", ["rl-tuner", "paper", "cantilena"])
@pytest.mark.parametrize("steps", [1, *(pytest.param(steps, marks=pytest.mark.e2e) for steps in (4, 16)), 40])
def test_rewards_by_step_are_those_of_the_whole_melody(encoding: Encoding, rules: str, steps: int) -> None:
    tokens = np.random.default_rng(steps).integers(len(encoding.vocabulary), size=(2, steps))
    whole = reward(rules, encoding)
    terms = whole.terms(tokens)
    log_probs = bundle(encoding).network().log_probs(tokens, bars=Bars.common_time(2)).detach().numpy()
    log_p = np.take_along_axis(log_probs, tokens[..., None], axis=-1)[..., 0]
    expected = whole.scaled(terms).astype(np.float64)

    env = MelodyEnv(bundle(encoding), rules, steps=steps)
    for row, melody in enumerate(tokens):
        rewards, terms_by_step, log_p_by_step = played(env, melody)
        assert terms_by_step.keys() == terms.keys() == set(RULE_SETS[rules].without_chords().names)
        for name, values in terms_by_step.items():
            np.testing.assert_array_equal(values, terms[name][row])
            assert values.sum() == pytest.approx(terms[name][row].sum(), abs=1e-6)
        np.testing.assert_allclose(log_p_by_step, log_p[row], atol=1e-5)
        assert (rewards - log_p_by_step).sum() == pytest.approx(expected[row].sum(), abs=1e-6)

    envs = MelodyVectorEnv(2, bundle(encoding), rules, steps=steps)
    envs.reset()
    for step in range(steps):
        _, rewards, finished, _, infos = envs.step(tokens[:, step])
        for name in terms:
            np.testing.assert_array_equal(infos["terms"][name], terms[name][:, step])
        np.testing.assert_allclose(rewards, expected[:, step] + log_p[:, step], atol=1e-5)
        assert finished.tolist() == [step == steps - 1] * 2
    np.testing.assert_array_equal(infos["melody"], tokens)


@settings(deadline=None, max_examples=20)
@given(tokens=st.lists(st.sampled_from([0, 1, 2, 14, 16, 18, 21, 26, 37]), min_size=1, max_size=36))
def test_terms_by_step_are_those_of_any_whole_melody(tokens: list[int]) -> None:
    melody = np.array(tokens)
    terms = reward("rl-tuner").terms(melody[None])
    _, by_step, _ = played(MelodyEnv(bundle(), steps=len(tokens)), melody)
    assert {name: values.tolist() for name, values in by_step.items()} == {n: v[0].tolist() for n, v in terms.items()}


def random_notes(encoding: NotesEncoding, melodies: int, steps: int) -> np.ndarray:
    """`(melodies, tokens)` tokens of melodies of so many sixteenths, padded."""
    rng, rows = np.random.default_rng(steps), []
    for _ in range(melodies):
        row, left = [], steps * 6
        while left:
            ticks = int(rng.choice([duration for duration in encoding.durations if duration <= left]))
            row += [1 + encoding.durations.index(ticks), *(rng.integers(*part) for part in encoding.parts[1:])]
            left -= ticks
        rows.append(np.array([row]))
    return padded_together(rows)


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("encoding", [NOTES, CHORDS], ids=["notes", "chords"])
@pytest.mark.parametrize("rules", ["rl-tuner", "paper", "cantilena"])
@pytest.mark.parametrize("steps", [1, pytest.param(4, marks=pytest.mark.e2e), 40])
def test_rewards_of_notes_are_those_of_the_whole_melody(encoding: NotesEncoding, rules: str, steps: int) -> None:
    check_rewards_of_notes(bundle(encoding), encoding, rules, steps)


def test_rewards_of_a_shipped_model_of_notes_are_those_of_the_whole_melody() -> None:
    shipped = Bundle.load(find_bundle("tunes"))
    assert isinstance(shipped.encoding, NotesEncoding)
    check_rewards_of_notes(shipped, shipped.encoding, "cantilena", 16)


def check_rewards_of_notes(prior: Bundle, encoding: NotesEncoding, rules: str, steps: int) -> None:
    tokens = random_notes(encoding, 3, steps)
    whole = reward(rules, encoding)
    terms = {name: whole.by_token(term, tokens) for name, term in whole.terms(tokens).items()}
    log_probs = prior.network().log_probs(tokens, bars=whole.bars(3, steps)).detach().numpy()
    log_p = np.take_along_axis(log_probs, tokens[..., None], axis=-1)[..., 0]
    music = whole.by_token(whole.scaled(whole.terms(tokens)), tokens)

    env = MelodyEnv(prior, rules, steps=steps)
    for row, melody in enumerate(tokens):
        count = int((melody != END).sum())
        rewards, by_token, log_p_by_token = played(env, melody[:count])
        for name, values in by_token.items():
            np.testing.assert_allclose(values, terms[name][row, :count])
        np.testing.assert_allclose(log_p_by_token, log_p[row, :count], atol=1e-5)
        np.testing.assert_allclose(rewards - log_p_by_token, music[row, :count], rtol=1e-5, atol=1e-5)
        assert env.melody.length == steps * 6

    envs = MelodyVectorEnv(3, prior, rules, steps=steps)
    envs.reset()
    for number in range(tokens.shape[1]):
        _, rewards, finished, _, infos = envs.step(tokens[:, number])
        np.testing.assert_allclose(infos["terms"]["key"], terms["key"][:, number])
        np.testing.assert_allclose(rewards, music[:, number] + log_p[:, number], rtol=1e-5, atol=1e-5)
        assert finished.tolist() == [number == tokens.shape[1] - 1] * 3
    np.testing.assert_array_equal(infos["melody"], tokens)


def test_the_checks_of_gymnasium_pass_for_notes() -> None:
    for arguments in ({"bundle": bundle(NOTES)}, {"bundle": bundle(CHORDS), "steps": 8, "meter": "3/4", "memory": 3}):
        check_env(gymnasium.make(MELODY, rules="paper", **arguments).unwrapped)


def test_only_some_notes_may_be_next() -> None:
    env = MelodyEnv(bundle(NOTES), "paper", steps=4, memory=2)
    observation, info = env.reset()
    pitches = NOTES.parts[1]
    assert np.flatnonzero(info["action_mask"]).tolist() == list(range(1, 1 + NOTES.durations.index(24) + 1))
    assert (int(observation["left"]), int(observation["place"])) == (24, 0)
    quarter = NOTES.vocabulary.index("1/4")
    eighth = NOTES.vocabulary.index("1/8")
    observation, *_, info = env.step(eighth)
    assert np.flatnonzero(info["action_mask"]).tolist() == list(range(*pitches))
    assert info["terms"]["tonic"] == 0
    observation, _, finished, _, info = env.step(1)  # a duration counts as the nearest pitch
    assert observation["tokens"].tolist() == [eighth, pitches[0]]
    assert (int(observation["left"]), int(observation["place"])) == (12, 12)
    assert np.flatnonzero(info["action_mask"]).tolist() == list(range(1, eighth + 1))
    observation, *_ = env.step(quarter)  # which does not fit
    assert observation["tokens"][-1] == eighth
    observation, _, finished, _, info = env.step(NOTES.rest)
    assert finished
    assert int(observation["left"]) == 0
    assert np.flatnonzero(info["action_mask"]).tolist() == [END]
    assert info["melody"].tolist() == [eighth, pitches[0], eighth, NOTES.rest]
    assert observation in env.observation_space
    with pytest.raises(UsageError, match="finished after 4 tokens"):
        env.step(1)


def test_full_melodies_wait_for_the_others() -> None:
    envs = MelodyVectorEnv(2, bundle(NOTES), "paper", steps=4)
    _, infos = envs.reset()
    assert infos["action_mask"].shape == (2, len(NOTES.vocabulary))
    assert infos["_action_mask"].tolist() == [True, True]
    quarter, eighth = NOTES.vocabulary.index("1/4"), NOTES.vocabulary.index("1/8")
    for tokens in ([quarter, eighth], [29, 29]):
        _, rewards, finished, *_ = envs.step(np.array(tokens))
    for tokens in ([7, eighth], [31, 29]):
        assert not finished.any()
        observations, rewards, finished, _, infos = envs.step(np.array(tokens))
        assert rewards[0] == 0
    assert finished.all()
    assert infos["melody"].tolist() == [[quarter, 29, END, END], [eighth, 29, eighth, 29]]
    assert [melody.length for melody in envs.melodies] == [24, 24]
    assert observations["left"].tolist() == [0, 0]
    _, rewards, finished, _, infos = envs.step(np.array([0, 0]))
    assert not finished.any()
    assert "action_mask" in infos


def test_notes_are_rendered() -> None:
    envs = {
        mode: MelodyEnv(bundle(NOTES), "paper", steps=18, render_mode=mode) for mode in ("ansi", "rgb_array", "svg")
    }
    whole, eighth = NOTES.vocabulary.index("1/1"), NOTES.vocabulary.index("1/8")
    for env in envs.values():
        env.reset()
        for token in (whole, 29, eighth, 31):
            env.step(token)
    assert envs["ansi"].render() == "1/1 C4\n1/8 D4"
    assert envs["rgb_array"].render().shape == (36 * 8, 18 * 8, 3)
    assert envs["svg"].render().startswith("<svg")


def test_terms_are_those_of_the_reference(shared: Path) -> None:
    names = {
        "reward_key": "key",
        "reward_tonic": "tonic",
        "reward_penalize_repeating": "repetition",
        "reward_penalize_autocorrelation": "autocorrelation",
        "reward_motif": "motif",
        "reward_repeated_motif": "repeated_motif",
        "reward_preferred_intervals": "intervals",
        "reward_leap_up_back": "leap",
        "reward_high_low_unique": "extremes",
    }
    oracle = json.loads((shared / "oracle" / "rl_tuner_sample.json").read_text())["compositions"]
    env = MelodyEnv(bundle(), "rl-tuner")
    for composition in oracle:
        _, terms, _ = played(env, np.array(composition["notes"]))
        for name, rule in names.items():
            np.testing.assert_allclose(terms[rule], composition["rewards"][name], atol=1e-6)


def test_a_melody_by_hand() -> None:
    """C4 starts on the tonic, C#4 is out of key and not the tonic at the end; then a melody that is only C4."""
    env = MelodyEnv(bundle(), "paper", steps=4, c=2.0)
    rewards, terms, log_p = played(env, np.array([14, 15, 1, 1]))
    assert {name: values.tolist() for name, values in terms.items()} == {
        "key": [0, -1, 0, 0],
        "tonic": [3, 0, 0, 0],
        "repetition": [0, 0, 0, 0],
    }
    np.testing.assert_allclose(rewards - log_p, [1.5, -0.5, 0, 0])
    rewards, terms, log_p = played(env, np.array([1, 14, 1, 1]))
    assert terms["tonic"].tolist() == [0, 3, 0, 3]


def test_each_rule_is_clipped_by_itself() -> None:
    env = MelodyEnv(bundle(), "rl-tuner", steps=8, c=1.0, clip=2.0)
    rewards, terms, log_p = played(env, np.zeros(8, dtype=np.int64))
    assert terms["repetition"].tolist() == [0, 0, *[-100] * 6]
    clipped = np.clip(np.stack(list(terms.values())), -2, 2).sum(axis=0)
    np.testing.assert_allclose(rewards - log_p, clipped, atol=1e-6)


def test_the_vector_environment_equals_single_ones_through_resets() -> None:
    arguments = {"bundle": bundle(), "rules": "rl-tuner", "steps": 6, "memory": 4}
    ours = gymnasium.make_vec(MELODY, num_envs=3, **arguments)
    theirs = gymnasium.make_vec(MELODY, num_envs=3, vectorization_mode="sync", **arguments)
    assert isinstance(ours, MelodyVectorEnv)
    assert isinstance(theirs, SyncVectorEnv)
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space

    theirs.action_space.seed(1)
    our_observation, our_info = ours.reset(seed=1)
    their_observation, their_info = theirs.reset(seed=1)
    assert data_equivalence(our_observation, their_observation)
    assert our_info == their_info == {}
    for _ in range(2 * 7 + 3):  # two melodies, each with the step that resets, and half of a third
        actions = theirs.action_space.sample()
        one, other = ours.step(actions), theirs.step(actions)
        assert one[0] in ours.observation_space
        assert data_equivalence(one, other)
        assert one[4].keys() == other[4].keys()


def test_the_same_actions_give_the_same_rewards() -> None:
    env, tokens = MelodyEnv(bundle()), np.random.default_rng(5).integers(38, size=32)
    first, again = played(env, tokens), played(env, tokens)
    other = played(MelodyEnv(bundle()), tokens)
    for one in (again, other):
        np.testing.assert_array_equal(first[0], one[0])
        np.testing.assert_array_equal(first[2], one[2])


def test_observations() -> None:
    env = MelodyEnv(bundle(), steps=14, memory=3, meter="3/4")
    observation, _ = env.reset()
    seen = [observation, *(env.step(token)[0] for token in range(2, 16))]
    assert all(one in env.observation_space for one in seen)
    assert [one["tokens"].tolist() for one in seen[:4]] == [[38, 38, 38], [38, 38, 2], [38, 2, 3], [2, 3, 4]]
    assert [int(one["place"]) for one in seen] == [*range(12), 0, 1, 2]
    assert [int(one["left"]) for one in seen] == list(range(14, -1, -1))
    probabilities = np.exp([one["log_p"] for one in seen])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert "place" not in MelodyEnv(bundle(EVENTS), "paper").observation_space.spaces


def test_memory_as_long_as_the_melody_holds_all_tokens() -> None:
    env = MelodyEnv(bundle(), steps=5)
    env.reset()
    for token in (3, 1, 4, 1):
        observation = env.step(token)[0]
    assert observation["tokens"].tolist() == [38, 3, 1, 4, 1]


def test_wrappers_of_gymnasium_work() -> None:
    flat = FlattenObservation(gymnasium.make(MELODY, bundle=bundle(), steps=4))
    observation, _ = flat.reset()
    assert observation.shape == flat.observation_space.shape == (4 * 39 + 5 + 38 + 16,)
    envs = RecordEpisodeStatistics(MelodyVectorEnv(2, bundle(), "paper", steps=4))
    envs.reset()
    total = np.zeros(2)
    for _ in range(4):
        _, rewards, _, _, infos = envs.step(np.array([14, 15]))
        total += rewards
    np.testing.assert_allclose(infos["episode"]["r"], total, rtol=1e-6)


def test_rendering() -> None:
    env = MelodyEnv(bundle(), steps=18, render_mode="ansi")
    env.reset()
    assert env.render() == ""
    for token in [14, *[1] * 15, 18, 0]:
        env.step(token)
    assert env.render() == "C4" + " hold" * 15 + "\nE4 off"
    assert [note.name for note in env.melody.sounding] == ["C4", "E4"]

    picture = MelodyEnv(bundle(), steps=4, render_mode="rgb_array")
    picture.reset()
    empty = picture.render()
    picture.step(14)
    picture.step(1)
    one = picture.render()
    assert empty.shape == one.shape == (36 * 8, 4 * 8, 3)
    dark = np.argwhere((one < 100).all(axis=2))
    assert dark.min(axis=0).tolist() == [(83 - 60) * 8, 0]
    assert dark.max(axis=0).tolist() == [(84 - 60) * 8 - 1, 2 * 8 - 1]

    both = MelodyVectorEnv(2, bundle(), steps=4, render_mode="svg")
    both.reset()
    both.step(np.array([14, 16]))
    assert all(svg.startswith("<svg") for svg in both.render())
    assert len(both.melodies) == 2
    assert MelodyEnv(bundle()).render() is None


def test_user_rules() -> None:
    def no_b(line, context, *, penalty=-2.0):
        """The seventh degree of C major is avoided."""
        return penalty * (line.pitch % 12 == 11) * (line.pitch >= 0)

    env = MelodyEnv(bundle(), RuleSet("mine", (Rule.from_function(no_b),)), steps=3)
    _, terms, _ = played(env, np.array([25, 1, 13]))
    assert terms["no_b"].tolist() == [-2, 0, -2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rules": "jazz"}, "jazz"),
        ({"steps": 0}, "steps is out of range: 0"),
        ({"steps": 5000}, "steps is out of range: 5000"),
        ({"memory": 0}, "memory is out of range: 0"),
        ({"c": 0.0}, "c is out of range: 0"),
        ({"c": float("nan")}, "c is out of range: nan"),
        ({"clip": -1.0}, "clip is out of range: -1"),
        ({"key": "H double flat"}, "H double flat"),
        ({"meter": "0/4"}, "0/4"),
        ({"render_mode": "human"}, "human"),
    ],
)
def test_invalid_arguments_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        MelodyEnv(bundle(), **arguments)
    assert caught.value.hint
    with pytest.raises(UsageError, match=words):
        MelodyVectorEnv(2, bundle(), **arguments)


def test_invalid_actions_and_bundles_are_refused() -> None:
    with pytest.raises(BundleError, match="no bundle"):
        MelodyEnv("nowhere")
    with pytest.raises(UsageError, match="melodies is out of range: 0"):
        MelodyVectorEnv(0, bundle())
    env = MelodyEnv(bundle(), steps=2)
    env.reset()
    for action in (38, -1, 1.5, np.array([1, 2]), True):
        with pytest.raises(UsageError, match="action"):
            env.step(action)
    env.step(14)
    env.step(np.int64(1))
    with pytest.raises(UsageError, match="finished"):
        env.step(1)


@pytest.mark.e2e
def test_importing_the_package_registers_the_environment_and_nothing_else_imports_gymnasium() -> None:
    code = f"""
import sys
import cantilena, cantilena.rl.options
assert not sys.modules.keys() & {{"gymnasium", "numpy", "torch"}}
import cantilena.envs, gymnasium
for bundle in ("tunes+rl-tuner", "tunes"):
    env = gymnasium.make({MELODY!r}, bundle=bundle, rules="rl-tuner", steps=32)
    env.reset(seed=1)
    env.step(14)
assert "torch" not in sys.modules, "a small prior needs no torch"
assert gymnasium.spec({MELODY!r}).vector_entry_point
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)


@pytest.mark.skipif(find_spec("stable_baselines3") is None, reason="stable-baselines3 is not installed")
def test_the_example_trains_an_agent_and_writes_its_melody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "agent.mid"
    sizes = ["--updates", "1", "--melodies", "4", "--steps", "8", "--rules", "paper"]
    monkeypatch.setattr(sys, "argv", ["agent.py", *sizes, "--out", str(out)])
    runpy.run_path(str(CHECKOUT / "examples" / "agent.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" reward")[0].strip() for line in lines[:3]] == [
        "the trained model",
        "the agent before",
        "the agent after",
    ]
    assert out.read_bytes().startswith(b"MThd")


def test_the_python_of_its_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (CHECKOUT / "docs" / "environment.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    blocks = [block for block in blocks if "stable_baselines3" not in block]
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        exec(block, {"__name__": "page"})
