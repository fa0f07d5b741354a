"""How a network is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cantilena.errors import UsageError
from cantilena.models import NetworkOptions, Precision

Schedule = Literal["cosine", "plateau", "constant"]
Preset = Literal["quick", "paper"]

TRANSFORMER_RATE = 1e-3
"""The highest learning rate of a transformer where none is asked for: it wants smaller steps than recurrent cells."""


@dataclass(frozen=True)
class TrainingOptions:
    """How long, how fast, on what.

    Raises:
        UsageError: a value that makes no sense.

    Example:
        >>> TrainingOptions(epochs=3).batch
        8
    """

    epochs: int = 30
    """Passes through the training pieces, at most."""
    budget: int = 4_000_000
    """Steps to predict in all: a large corpus is passed through fewer times; 0 for as many as `epochs` says."""
    batch: int = 8
    """Pieces that are learned from at once; windows with the paper's input."""
    steps: int = 256
    """Longer pieces are cut into parts of so many steps, with the state carried from part to part."""
    learning_rate: float = 6e-3
    """The highest learning rate of AdamW."""
    weight_decay: float = 1e-2
    """Pull of AdamW on matrices towards 0."""
    clip: float = 1.0
    """Gradients longer than this are shortened to it."""
    schedule: Schedule = "cosine"
    """cosine: down to a hundredth over the run. plateau: halved where the held-out loss stops falling. constant."""
    warmup: int = 50
    """Updates until the learning rate is at its full height."""
    patience: int = 5
    """Epochs without a better held-out loss until training stops; the best network is kept."""
    averaging: float = 0.0
    """Weight of the past in a running average of the weights, which is then what is measured and kept; 0 for none."""
    transpose: int = 0
    """Learn each piece in a random key up to so many semitones up or down, where the encoding can say it."""
    forget: float = 0.2
    """Share of the pieces of an epoch that a network with conditions is told nothing of; and of the rest each condition
    is left out as often, so that it learns to do without."""
    precision: Precision = "auto"
    """auto multiplies in bfloat16 where the processor gains by it. Weights are float32 in any case."""
    checkpoint_seconds: float = 60.0
    """At least so many seconds between two checkpoints."""
    seed: int = 1
    """The same seed, machine and versions give the same network, interrupted or not."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""

    def passes(self, steps: int) -> int:
        """Epochs over a corpus of so many steps, at most.

        Example:
            >>> TrainingOptions().passes(1_000_000), TrainingOptions(budget=0).passes(1_000_000)
            (4, 30)
        """
        return min(self.epochs, max(round(self.budget / steps), 1)) if self.budget else self.epochs

    def __post_init__(self) -> None:
        if self.schedule not in ("cosine", "plateau", "constant"):
            raise UsageError(f"there is no schedule '{self.schedule}'", "choose cosine, plateau or constant")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise UsageError(f"there is no precision '{self.precision}'", "choose auto, float32 or bfloat16")
        for name, value, least, most in (
            ("epochs", self.epochs, 1, 100_000),
            ("budget", self.budget, 0, 10**15),
            ("batch", self.batch, 1, 65_536),
            ("steps", self.steps, 8, 65_536),
            ("warmup", self.warmup, 0, 1_000_000),
            ("patience", self.patience, 1, 100_000),
            ("transpose", self.transpose, 0, 24),
            ("seed", self.seed, 0, 2**63 - 1),
        ):
            if not least <= value <= most:
                raise UsageError(f"{name} is {value}", f"give a whole number from {least} to {most}")
        for name, number, low, high in (
            ("learning rate", self.learning_rate, 1e-8, 10.0),
            ("weight decay", self.weight_decay, 0.0, 10.0),
            ("clip", self.clip, 1e-6, 1e6),
            ("averaging", self.averaging, 0.0, 0.99999),
            ("share to forget", self.forget, 0.0, 1.0),
            ("checkpoint seconds", self.checkpoint_seconds, 0.0, 1e6),
        ):
            if not low <= number <= high:
                raise UsageError(f"{name} is {number:g}", f"give a number from {low:g} to {high:g}")


def preset(name: str) -> tuple[NetworkOptions, TrainingOptions]:
    """The network and its training by name.

    `quick`: about a minute on one core, whatever the corpus: 4 million steps. Its network of 128 cells hears what
    followed earlier passages like its last one, which gains most of all that we tried. Small batches learned most in
    that time, and so did a high learning rate that falls to nothing.

    `paper`: the paper's sizes, 3 x 1024 with 40 % dropout, 200 epochs at most with early stop; but every step of a
    piece predicted, not the last of 40. The paper's batch of 64 predicts 64 steps: one of 16 pieces predicts 2,000, and
    64 pieces would leave a corpus as small as the paper's four updates an epoch.

    Raises:
        UsageError: there is no such preset.
    """
    if name == "quick":
        return NetworkOptions(repeat_features=2), TrainingOptions()
    if name == "paper":
        return NetworkOptions.paper(), TrainingOptions(
            epochs=200,
            budget=0,
            batch=16,
            steps=128,
            learning_rate=1e-3,
            schedule="plateau",
            patience=10,
            warmup=100,
        )
    raise UsageError(f"there is no preset '{name}'", "choose quick or paper")
