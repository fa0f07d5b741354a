"""The sizes of the experiment, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cantilena.experiment.options import ReproduceOptions
from cantilena.model import NetworkOptions
from cantilena.training import TrainingOptions, preset
from cantilena.tuning import TuningOptions

STEPS = 32
"""Steps of a composition that is counted, as in RL Tuner: two bars of sixteenths."""


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


# The published weights let a melody earn more by motifs than it loses by its start or by a note out of key; these make
# the start and the key count. c = 3 keeps a model of tunes within .45 nats a step of what it learned, where melodies
# stay different; where a corpus lets it wander further, towards one melody that earns most, c rises until it is back.
_WEIGHTS = ("tonic=5", "key=6")


def plan(options: ReproduceOptions) -> Plan:
    """The plan of a preset with the run's seed and device."""
    network, training = preset(options.preset)
    training = replace(training, seed=options.seed, device=options.device)
    tuning = TuningOptions(
        rules="rl-tuner",
        weights=_WEIGHTS,
        c=3.0,
        target_kl=0.45,
        steps=STEPS,
        updates=160,
        learning_rate=3e-3,
        seed=options.seed,
        device=options.device,
    )
    events_tuning = replace(tuning, rules="paper", weights=(), c=0.5)
    if options.preset == "paper":
        # Three layers of 1024 learn from fewer melodies at once, for longer, and in smaller steps.
        tuning = replace(tuning, melodies=256, updates=400, learning_rate=3e-4)
        events_tuning = replace(events_tuning, melodies=256, updates=200, learning_rate=3e-4)
    return Plan(
        network=network,
        training=training,
        rnn=NetworkOptions(core="rnn", bar_position=False, look_back=()),
        rnn_training=replace(preset("quick")[1], budget=2_000_000, batch=32, seed=options.seed, device=options.device),
        tuning=tuning,
        with_events=options.preset == "paper",
        events_tuning=events_tuning,
    )
