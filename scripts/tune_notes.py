"""Tune `tunes` by critics of prefixes and by matching people's notes, and ask the listener: see docs/tuning.md.

    python scripts/tune_notes.py [--set OPTION=VALUE ...] [--seed N] [--minutes M] [--out FILE]
    python scripts/tune_notes.py --judge [MODEL ...]

The model composes melodies of the meter, mode, length, pickup and register of people's leads of the training part, with
forms of its own. At each note several are tried (`rl/note_candidates.py`); critics of prefixes
(`discriminators/prefix_critic.py`), each trained on half of people's melodies and further with the model, and the
frequencies of people's notes (`rl/note_matching.py`) reward them, and the policy is improved by `mpo`. `--judge` asks
the logistic and the boosted classifier of the listener, which shares no feature with the critics, about openings of
melodies like the leads of the validation part in 4/4, 2/2 and 2/4: several sets, since one of them has an AUC that is
.02 to .03 too low or too high.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cantilena.data import Split, load_builtin
from cantilena.discriminators import (
    PrefixCritic,
    RunningCritic,
    TwoSampleOptions,
    train_prefix_critic,
)
from cantilena.generation import Composer
from cantilena.models import Bundle, Network, critic_features, find_bundle, limit_threads
from cantilena.rl import NoteMatching, Rollout, by_length, log_probs_tried, mpo_loss, roll_out
from cantilena.runtime import derived_seed, generator, progress
from cantilena.tokenizers import NotesEncoding
from cantilena.workflows import compose_like, critic_inputs, encoded_leads, told_like
from cantilena.workflows.data import EncodedPieces
from cantilena.workflows.evaluate.melody_sets import EvalMelody
from judge_openings import METERS, openings

LONGEST = 24 * 96
"""Ticks of the longest melodies that are composed while tuning: 24 bars of 4/4."""
SETS = 4
"""Sets of melodies that are judged, each of two for each of people's."""

Rows = list[NDArray[np.int32]]


@dataclass(frozen=True)
class Options:
    """Options of the tuning.

    Args:
        updates: number of updates.
        melodies: of an update.
        tried: notes that are tried at each place.
        learning_rate: at the start.
        weight: of the critics' log odds.
        matching: weight of the matching of frequencies.
        rate: of its updates.
        prior_weight: of the model before tuning.
        epochs: passes over the melodies of an update.
        critics: number of critics, which share no piece.
        critic_epochs: of their training on the model before tuning.
        critic_steps: batches that each learns from after an update.
    """

    updates: int = 48
    melodies: int = 48
    tried: int = 4
    learning_rate: float = 4e-4
    weight: float = 1.0
    matching: float = 1.0
    rate: float = 0.015
    prior_weight: float = 0.7
    epochs: int = 2
    critics: int = 2
    critic_epochs: int = 8
    critic_steps: int = 6


class Reward:
    """The log odds of critics, the mean, and the matching of frequencies, of notes that are tried."""

    def __init__(self, critics: list[PrefixCritic], matching: NoteMatching, options: Options) -> None:
        self.running = [RunningCritic(critic, options.melodies) for critic in critics]
        self.matching, self.options = matching, options
        self._described: list[torch.Tensor] = []

    def attempt(self, rows: NDArray[np.int64], melody: NDArray[np.int64]) -> NDArray[np.float64]:
        """As `NoteReward` has it."""
        heard = [critic.attempt(rows, melody) for critic in self.running]
        self._described = [described for _, described in heard]
        odds = np.mean([values for values, _ in heard], axis=0)
        return np.asarray(self.options.weight * odds + self.options.matching * self.matching.rewards(rows))

    def take(self, taken: NDArray[np.int64], goes_on: NDArray[np.bool_]) -> None:
        """As `NoteReward` has it."""
        for critic, described in zip(self.running, self._described, strict=True):
            critic.take(described[torch.from_numpy(taken)], goes_on)


class Opponents:
    """Critics that learn further from the newest melodies and from a pool of those before."""

    def __init__(self, encoding: NotesEncoding, people: Rows, generated: Rows, options: Options, seed: int) -> None:
        rng = generator(seed, "critics")
        part = rng.integers(0, options.critics, len(people))
        self.people = [[people[i] for i in np.flatnonzero(part == number)] for number in range(options.critics)]
        self.critics = [PrefixCritic(encoding, derived_seed(seed, number)) for number in range(options.critics)]
        for critic, some in zip(self.critics, self.people, strict=True):
            train_prefix_critic(critic, some, generated, rng, epochs=options.critic_epochs, seed=seed)
        self.optimizers = [torch.optim.AdamW(one.parameters(), lr=1e-3, weight_decay=0.1) for one in self.critics]
        self.pools = [list(generated) for _ in self.critics]
        self.newest: Rows = []

    def learn(self, melodies: Rows, steps: int, rng: np.random.Generator) -> None:
        """Learn from new melodies, which then replace half as many of the pool."""
        self.newest = (self.newest + melodies)[-256:]
        for people, critic, optimizer, pool in zip(self.people, self.critics, self.optimizers, self.pools, strict=True):
            critic.train()
            for _ in range(steps):
                generated = _some(self.newest, 20, rng) + _some(pool, 12, rng)
                loss = critic.loss(_some(people, 32, rng), generated)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            critic.eval()
            for row, melody in zip(rng.choice(len(pool), len(melodies) // 2, replace=False), melodies, strict=False):
                pool[row] = melody

    def odds(self, melodies: Rows) -> tuple[float, float]:
        """The mean log odds at the ends and in the middle of melodies."""
        known = [critic.log_odds(melodies) for critic in self.critics]
        end = np.mean([[one[-1] for one in some] for some in known])
        return float(end), float(np.mean([[one[len(one) // 2] for one in some] for some in known]))


def tuned(bundle: Bundle, options: Options, *, seed: int, minutes: float) -> Bundle:
    """Tune a model of notes for so many updates or minutes."""
    network, prior = bundle.network(), bundle.network().requires_grad_(requires_grad=False)
    for table in (network.table, network.parts, network.direct):
        table.requires_grad_(requires_grad=False)
    composer = replace(Composer.from_bundle(bundle), model=prior)
    encoding = composer.encoding
    assert isinstance(encoding, NotesEncoding)
    pieces = leads(composer, "train")
    with torch.random.fork_rng(devices=[]), limit_threads(network.options.width, options.melodies):
        torch.manual_seed(derived_seed(seed, "dropout"))
        people = inputs(encoding, list(pieces.sequences.tokens), pieces)
        generated = inputs(encoding, compose_like(composer, pieces, seed=seed), pieces)
        opponents = Opponents(encoding, people, generated, options, seed)
        short = np.flatnonzero([melody.length <= LONGEST for melody in pieces.melodies])
        matching = NoteMatching(encoding, [people[row] for row in short], options.rate)
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        optimizer = torch.optim.Adam(weights, lr=options.learning_rate, betas=(0.9, 0.99))
        started = time.monotonic()
        with progress("Tuning", total=options.updates, unit="updates") as bar:
            for number in range(options.updates):
                done = max(number / options.updates, (time.monotonic() - started) / 60 / minutes)
                if done >= 1.0:
                    break
                optimizer.param_groups[0]["lr"] = options.learning_rate * (0.55 + 0.45 * math.cos(math.pi * done))
                rng = generator(seed, "update", number)
                some = rng.choice(short, options.melodies, replace=False)
                told, guides = told_like(composer, pieces, some, derived_seed(seed, "forms", number))
                assert guides is not None
                features = critic_features(encoding)
                reward = Reward(opponents.critics, matching, options)
                rollout = roll_out(network, encoding, told, guides, reward, rng, features=features, tried=options.tried)
                kl = improve(network, prior, rollout, optimizer, options, rng)
                melodies = inputs(encoding, list(rollout.tokens), pieces, some)
                away, (end, middle) = matching.update(melodies), opponents.odds(melodies)
                opponents.learn(melodies, options.critic_steps, rng)
                bar.advance(1, f"log odds {middle:.2f}, {end:.2f} at the end, off by {away:.3f}, KL {kl:.3f} a note")
    return replace(bundle, weights=network.numpy_weights(), prior_weights=bundle.weights)


def improve(
    network: Network,
    prior: Network,
    rollout: Rollout,
    optimizer: torch.optim.Optimizer,
    options: Options,
    rng: np.random.Generator,
) -> float:
    """Learn from melodies, and return the KL divergence of the policy that composed them, nats a note."""
    parts = [rollout.take(rows) for rows in by_length(rollout, 3)]
    with torch.no_grad():
        known = [(log_probs_tried(network, part), log_probs_tried(prior, part)) for part in parts]
    notes = [torch.from_numpy(part.is_played) for part in parts]
    distances = [((pi - p)[:, :, 0] * played).sum() for (pi, p), played in zip(known, notes, strict=True)]
    for _ in range(options.epochs):
        for number in rng.permutation(len(parts)):
            before, log_prior = known[number]
            loss = mpo_loss(
                log_probs_tried(network, parts[number]),
                log_prior,
                before,
                torch.from_numpy(parts[number].rewards).float(),
                notes[number],
                prior_weight=options.prior_weight,
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
    return float(sum(distances) / sum(played.sum() for played in notes))


def judge(name: str) -> None:
    """Print the mean AUC of the listener's classifiers over several sets of melodies, with its standard error."""
    bundle = Bundle.load(find_bundle(name))
    composer = replace(Composer.from_bundle(bundle), model=bundle.network())
    pieces = leads(composer, "valid")
    people = [EvalMelody.from_melody(melody, piece=str(row), label="") for row, melody in enumerate(pieces.melodies)]
    people = [melody for melody in people if str(melody.meter) in METERS]
    aucs: dict[tuple[int, str], list[float]] = {}
    options = TwoSampleOptions(families=("logistic", "boosting"), groups=False, permutations=99, resamples=100)
    for first in range(0, 2 * SETS, 2):
        composed = []
        for seed in (first, first + 1):
            for row, tokens in enumerate(compose_like(composer, pieces, seed=2000 + seed)):
                like = pieces.melodies[row]
                if str(like.meter) not in METERS:
                    continue
                melody = replace(composer.encoding.decode(tokens, key=like.key, meter=like.meter), pickup=like.pickup)
                composed.append(EvalMelody.from_melody(melody, piece=str(row), label=""))
        for steps, _, result in openings(people, composed, options):
            for family, one in result.families.items():
                aucs.setdefault((steps, family), []).append(one.auc.value)
    for (steps, family), values in aucs.items():
        error = np.std(values, ddof=1) / math.sqrt(len(values))
        print(f"{name}: {steps} steps, {family}: {np.mean(values):.3f} ± {error:.3f}")


def leads(composer: Composer, part: Split) -> EncodedPieces:
    """People's leads of a part of the tunes, in the keys of the model."""
    melodies = [melody for melody in load_builtin("tunes").melodies(part) if melody.key is not None]
    assert isinstance(composer.encoding, NotesEncoding)
    return encoded_leads(melodies, composer.encoding, normalized_key=composer.normalized_key)


def inputs(
    encoding: NotesEncoding,
    tokens: list[NDArray[np.int64]],
    pieces: EncodedPieces,
    some: NDArray[np.integer] | None = None,
) -> Rows:
    """What critics read of melodies like pieces, without the rests at their ends: nobody hears those."""
    kept = []
    for melody in tokens:
        notes = melody[: len(melody) // 2 * 2].reshape(-1, 2)
        sounding = np.flatnonzero((notes[:, 0] > 0) & (notes[:, 1] != encoding.rest))
        kept.append(notes[: sounding[-1] + 1].ravel() if len(sounding) else notes[:0].ravel())
    some = np.arange(len(tokens)) if some is None else some
    return critic_inputs(encoding, kept, replace(pieces, sequences=pieces.sequences[some]))


def _some(melodies: Rows, count: int, rng: np.random.Generator) -> Rows:
    return [melodies[row] for row in rng.choice(len(melodies), min(count, len(melodies)), replace=False)]


def main() -> None:
    """Tune or judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("models", nargs="*", help="bundles to judge")
    parser.add_argument("--judge", action="store_true", help="judge models")
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE", help="options of the tuning")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so many minutes of updates")
    parser.add_argument("--out", type=Path, default=Path("runs/tuned-notes.safetensors"), help="the tuned bundle")
    arguments = parser.parse_args()
    if arguments.judge:
        for model in arguments.models or ["tunes"]:
            judge(model)
        return
    values = {name: float(value) for name, _, value in (pair.partition("=") for pair in arguments.set)}
    whole = {one.name for one in fields(Options) if one.type == "int"}
    chosen: dict[str, Any] = {name: int(value) if name in whole else value for name, value in values.items()}
    bundle = Bundle.load(find_bundle((arguments.models or ["tunes"])[0]))
    made = tuned(bundle, Options(**chosen), seed=arguments.seed, minutes=arguments.minutes)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    made.save(arguments.out, overwrite=True)


if __name__ == "__main__":
    main()
