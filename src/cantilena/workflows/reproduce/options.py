"""Options of the paper's experiment, and the sizes of its presets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from cantilena.errors import UsageError
from cantilena.models import NetworkOptions
from cantilena.rl import TuningOptions, WatchOptions
from cantilena.training import TrainingOptions, preset


@dataclass(frozen=True)
class ReproduceOptions:
    """The paper's experiment: one corpus, one preset, one seed."""

    preset: Literal["quick", "paper"] = "quick"
    """`quick`: minutes on two cores. `paper`: the paper's sizes, 3 x 1024 and 200 epochs at most: hours."""
    corpus: str = "tunes"
    """A corpus that ships with Cantilena, a corpus file, or a folder of scores."""
    seed: int = 1
    """The same seed, machine and versions give the same results."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute; auto uses an accelerator if there is one."""
    counted: int = 1000
    """Melodies of each system that are measured."""
    heard: int = 10
    """Melodies of each system that are written to listen to, of 30 seconds each."""

    def __post_init__(self) -> None:
        if not self.corpus.strip():  # an unset shell variable; it would mean the working folder
            raise UsageError("the corpus has no name", "name a built-in corpus, a corpus file or a folder of scores")
        if self.preset not in ("quick", "paper"):
            raise UsageError(f"there is no preset '{self.preset}'", "choose quick or paper")
        if not 2 <= self.counted <= 1_000_000:
            raise UsageError(f"--counted must be 2 to 1000000, got {self.counted}", "1000 is the default")
        if not 1 <= self.heard <= 10_000:
            raise UsageError(f"--heard must be 1 to 10000, got {self.heard}", "10 is the default")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed must be 0 to 2^63 - 1, got {self.seed}", "1 is the default")


STEPS = 32
"""Steps of a melody that is measured, as in RL Tuner: two bars of sixteenths."""


@dataclass(frozen=True)
class Plan:
    """What is trained and tuned in a run.

    Args:
        network: of the LSTM.
        training: of the LSTM.
        rnn: the plain RNN that the paper compares with: no place in the bar, no look-back.
        rnn_training: of the RNN.
        tuning: of the LSTM, on the grid.
        with_events: whether the paper's section VII, notes and chords without time, is run too.
        events_tuning: of the LSTM on notes and chords.
    """

    network: NetworkOptions
    training: TrainingOptions
    rnn: NetworkOptions
    rnn_training: TrainingOptions
    tuning: TuningOptions
    with_events: bool
    events_tuning: TuningOptions


# With the published weights a melody gains more by motifs than it loses by its start or by a note out of key, and more
# by the preferred intervals than by anything else, so that melodies grow alike. These weights make the start, the key
# and the two extremes count, and the intervals less. Some networks then still run in sixteenths, because eight events
# hold more distinct tones if none is held; our own rule of density prevents that. The clip lets both extremes be earned
# on the last step. c = 3 keeps a model of tunes within half a nat a step of what it learned; if a corpus lets it go
# further, towards one melody that earns most, c rises until it is back. Keeping all nine rules costs variety, at the
# edge of what the diversity check allows: it does not stop the run, and the best check inside is kept.
_WEIGHTS = (
    "tonic=6", "key=10", "extremes=5", "leap=2", "motif=1.3", "intervals=0.7", "density=8",
)  # fmt: skip


def plan(options: ReproduceOptions) -> Plan:
    """The settings of a preset, with the run's seed and device."""
    network, training = preset(options.preset)
    network = replace(network, repeat_features=0)  # the paper's LSTM has no memory but its cells
    training = replace(training, seed=options.seed, device=options.device)
    tuning = TuningOptions(
        rules="rl-tuner+cantilena:density",
        weights=_WEIGHTS,
        c=3.0,
        clip=40.0,
        target_kl=0.5,
        steps=STEPS,
        updates=160,
        watch=WatchOptions(look=40, stop=False),
        seed=options.seed,
        device=options.device,
    )
    events_tuning = replace(tuning, rules="paper", weights=(), c=0.5)
    if options.preset == "paper":
        # Three layers of 1024 learn from smaller batches, for longer, and in smaller steps.
        tuning = replace(tuning, melodies=256, updates=200, learning_rate=3e-4)
        events_tuning = replace(events_tuning, melodies=256, updates=120, learning_rate=3e-4)
    return Plan(
        network=network,
        training=training,
        rnn=NetworkOptions(core="rnn", bar_position=False, look_back=()),
        rnn_training=replace(preset("quick")[1], budget=2_000_000, batch=32, seed=options.seed, device=options.device),
        tuning=tuning,
        with_events=options.preset == "paper",
        events_tuning=events_tuning,
    )
