"""Notes that are tried while a policy composes, and learning from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cantilena.discriminators import PrefixCritic, RunningCritic
from cantilena.generation import FormGuides, FormPlan
from cantilena.models import Bars, FormModel, Network, NetworkOptions, critic_features, padded_plans, plan_rows
from cantilena.music import Form, Key, Meter
from cantilena.rl import NoteMatching, Rollout, by_length, log_probs_tried, mpo_loss, roll_out
from cantilena.tokenizers import END, NotesEncoding

NOTES = NotesEncoding(durations=(1, 6, 12, 24, 48, 96))
BAR = 96
FORMS = ("AA", "AB", "AA")


class Critic:
    """The log odds of an untrained critic."""

    def __init__(self, melodies: int) -> None:
        self.running = RunningCritic(PrefixCritic(NOTES), melodies)
        self.described = torch.zeros(0)

    def attempt(self, rows: np.ndarray, melody: np.ndarray) -> np.ndarray:
        odds, self.described = self.running.attempt(rows, melody)
        return odds.astype(np.float64)

    def take(self, taken: np.ndarray, goes_on: np.ndarray) -> None:
        self.running.take(self.described[torch.from_numpy(taken)], goes_on)


@pytest.fixture(scope="module")
def network() -> Network:
    """A network of notes with random weights that is told forms."""
    options = NetworkOptions(
        width=16,
        embedding=16,
        durations=NOTES.durations,
        pitches=NOTES.high - NOTES.low + 1,
        head_width=16,
        plan=True,
    )
    return Network(options, len(NOTES.vocabulary))


@pytest.fixture(scope="module")
def rollout(network: Network) -> Rollout:
    """Three melodies of two bars of 4/4, of a bar and one of two beats, with three notes tried at each place."""
    forms = [Form.parse(form, bars=2) for form in FORMS]
    plans = [
        FormPlan.draw(
            [np.random.default_rng(number)],
            form=form,
            model=FormModel({}),
            bars=2,
            meter=Meter(),
            key=Key(),
            ending="",
            length=2 * BAR,
            pickup=0,
        )
        for number, form in enumerate(forms)
    ]
    bars = Bars.from_meter(Meter(), melodies=3, ticks_per_step=1, length=2 * BAR)
    bars = replace(bars, plan=padded_plans([plan_rows(form) for form in forms]))
    guides = FormGuides([plan.guide(NOTES, np.zeros(0, dtype=np.int64)) for plan in plans])
    rng = np.random.default_rng(5)
    return roll_out(network, NOTES, bars, guides, Critic(3), rng, features=critic_features(NOTES), tried=3)


def test_melodies_have_their_length_and_form(rollout: Rollout) -> None:
    melodies = [NOTES.decode(tokens) for tokens in rollout.tokens]
    assert [melody.length for melody in melodies] == [2 * BAR] * 3
    for melody, form in zip(melodies, FORMS, strict=True):
        first, second = ([(n.onset % BAR, n.top) for n in melody.notes if n.onset // BAR == bar] for bar in (0, 1))
        assert (first == second) == (form == "AA")


def test_the_first_note_that_was_tried_is_the_one_taken(rollout: Rollout) -> None:
    np.testing.assert_array_equal(rollout.first[:, :, 0], rollout.tokens[:, ::2])
    np.testing.assert_array_equal(rollout.second[:, :, 0], rollout.tokens[:, 1::2])
    assert (rollout.first[:, :, 1] != rollout.first[:, :, 0]).any()  # others were tried


def test_where_a_form_repeats_nothing_else_was_tried(rollout: Rollout) -> None:
    melody = NOTES.decode(rollout.tokens[0])
    notes = np.array([note.onset >= BAR for note in melody.notes])
    returned = rollout.first[0, : len(notes)][notes]
    assert (returned == returned[:, :1]).all()


def test_probabilities_are_those_of_the_network_among_the_tokens_allowed(network: Network, rollout: Rollout) -> None:
    with torch.no_grad():
        tried = log_probs_tried(network, rollout)[:, :, 0]
        scores = network.scores(rollout.tokens, rollout.bars)
    size = len(NOTES.vocabulary)
    masks = np.stack([rollout.first_allowed, rollout.second_allowed[:, :, 0]], axis=2)
    allowed = np.unpackbits(masks, axis=-1, count=size).astype(np.bool_).reshape(*rollout.tokens.shape, size)
    known = scores.masked_fill(~torch.from_numpy(allowed), -torch.inf).log_softmax(-1)
    chosen = known.gather(-1, torch.from_numpy(rollout.tokens)[..., None]).squeeze(-1)
    expected = (chosen[:, ::2] + chosen[:, 1::2]).numpy()
    np.testing.assert_allclose(tried.numpy()[rollout.is_played], expected[rollout.is_played], atol=1e-4)


def test_parts_of_a_rollout_hold_each_melody_once(rollout: Rollout) -> None:
    parts = by_length(rollout, 2)
    assert sorted(np.concatenate(parts).tolist()) == [0, 1, 2]
    for rows in parts:
        part = rollout.take(rows)
        assert (part.tokens != END).any(axis=0).all()  # no longer than the longest


def test_rewards_depend_on_what_was_tried(rollout: Rollout) -> None:
    free = rollout.first[:, :, 0] != rollout.first[:, :, 1]
    assert np.isfinite(rollout.rewards).all()
    assert (rollout.rewards[:, :, 0] != rollout.rewards[:, :, 1])[free].all()


def test_a_policy_that_learns_from_log_ratios_becomes_that_of_people() -> None:
    people = torch.tensor([0.6, 0.3, 0.1, 0.0001]).log().log_softmax(0)
    scores, prior = torch.zeros(4, requires_grad=True), torch.full((4,), 0.25).log()
    optimizer = torch.optim.Adam([scores], lr=0.03)
    generator = torch.Generator().manual_seed(1)
    for _ in range(600):
        policy = scores.log_softmax(0)
        tried = torch.multinomial(policy.detach().exp().expand(256, 4), 4, replacement=True, generator=generator)
        rewards = (people - prior)[tried][None]
        log_policy = policy[tried][None]
        loss = mpo_loss(log_policy, prior[tried][None], log_policy.detach(), rewards, torch.ones(1, 256), step=1.0)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    np.testing.assert_allclose(scores.detach().softmax(0).numpy(), people.exp().numpy(), atol=0.03)


def test_the_prior_keeps_a_policy_that_is_not_rewarded() -> None:
    log_policy = torch.tensor([[[0.7, 0.3]]]).log().requires_grad_()
    log_prior = torch.tensor([[[0.2, 0.8]]]).log()
    played, none = torch.tensor([[True]]), torch.zeros(1, 1, 2)
    mpo_loss(log_policy, log_prior, log_policy.detach(), none, played).backward()  # type: ignore[no-untyped-call]
    assert log_policy.grad is not None
    assert log_policy.grad[0, 0, 0] > 0 > log_policy.grad[0, 0, 1]  # the second becomes more probable


def test_frequencies_that_agree_leave_the_reward_as_it_is() -> None:
    features = critic_features(NOTES)
    rng = np.random.default_rng(1)
    rows = features.offsets[: features.columns] + rng.integers(0, 2, (400, features.columns))
    matching, one = NoteMatching(NOTES, [rows], np.array([0])), np.array([0])
    assert matching.update([rows], one) == pytest.approx(0.0)
    assert np.abs(matching.weights).max() == pytest.approx(0.0)
    assert matching.update([rows[:200]], one) < 0.1


def test_frequencies_are_those_of_the_kind_of_a_melody() -> None:
    features = critic_features(NOTES)
    low = np.tile(features.offsets[: features.columns], (400, 1))
    high = low + (np.arange(features.columns) == 1)  # another pitch sounds
    kinds, zeros = np.array([0, 1]), np.zeros(400, dtype=np.int64)
    matching = NoteMatching(NOTES, [low, high], kinds)
    for _ in range(20):
        assert matching.update([high, low], kinds) == pytest.approx(0.0)  # as often as people in both kinds together
    for kind, frequent, other in ((0, low, high), (1, high, low)):
        assert (
            matching.rewards(frequent, zeros + kind).mean() > 0.3 > -0.3 > matching.rewards(other, zeros + kind).mean()
        )
    restored = NoteMatching(NOTES, [low, high], kinds)
    restored.restore(matching.state())
    for one in (matching, restored):
        one.update([low, low], kinds)
    assert (restored.weights == matching.weights).all()
