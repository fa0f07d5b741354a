"""Options of training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cantilena.errors import UsageError
from cantilena.models import NetworkOptions, Precision

Schedule = Literal["cosine", "plateau", "constant"]
Preset = Literal["quick", "paper"]

TRANSFORMER_RATE = 1e-3
"""The default maximum learning rate of a transformer, which needs smaller steps than recurrent cells."""


@dataclass(frozen=True)
class TrainingOptions:
    """Length of training, optimizer, augmentation and regularisation.

    Two fields have other names in bundles, run records and flags (`metadata["record"]`): `ema_decay` is `averaging`
    there, `condition_dropout` is `forget`.

    Raises:
        UsageError: a value is out of range.

    Examples:
        >>> TrainingOptions(epochs=3).batch
        8
    """

    epochs: int = 30
    """Maximum number of passes through the training pieces."""
    budget: int = 4_000_000
    """Maximum number of steps to predict, which limits the epochs on a large corpus; 0 for no limit."""
    batch: int = 8
    """Pieces in a batch; windows with the paper's input."""
    steps: int = 256
    """Longer pieces are cut into parts of this many steps; the recurrent state is carried from part to part."""
    learning_rate: float = 6e-3
    """Maximum learning rate of AdamW."""
    weight_decay: float = 1e-2
    """Weight decay of AdamW, applied to matrices only."""
    clip: float = 1.0
    """Maximum norm of the gradient."""
    schedule: Schedule = "cosine"
    """cosine: anneals to a hundredth over the run. plateau: halves when the validation loss stops falling. constant."""
    warmup: int = 50
    """Updates of linear warm-up."""
    patience: int = 5
    """Stop after this many epochs without a better validation loss; the best weights are kept."""
    ema_decay: float = field(default=0.0, metadata={"record": "averaging"})
    """Decay of an exponential moving average of the weights, which is evaluated and kept instead; 0 for none."""
    transpose: int = 0
    """Transpose each piece at random by up to this many semitones, as far as the encoding allows."""
    condition_dropout: float = field(default=0.2, metadata={"record": "forget"})
    """Probability of dropping all conditions of a piece in an epoch, and each remaining one by itself, so that the
    network also works without them."""
    precision: Precision = "auto"
    """auto multiplies in bfloat16 where the hardware is faster with it. Weights are float32 in any case."""
    checkpoint_seconds: float = 60.0
    """Minimum number of seconds between two checkpoints."""
    seed: int = 1
    """The same seed, machine and versions give the same network, interrupted or not."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""

    def epochs_for(self, steps: int) -> int:
        """Number of epochs over a corpus of `steps` steps within the budget.

        Examples:
            >>> TrainingOptions().epochs_for(1_000_000), TrainingOptions(budget=0).epochs_for(1_000_000)
            (4, 30)
        """
        return min(self.epochs, max(round(self.budget / steps), 1)) if self.budget else self.epochs

    def __post_init__(self) -> None:
        if self.schedule not in ("cosine", "plateau", "constant"):
            raise UsageError(f"unknown schedule '{self.schedule}'", "choose cosine, plateau or constant")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise UsageError(f"unknown precision '{self.precision}'", "choose auto, float32 or bfloat16")
        for name, value, least, most in (
            ("epochs", self.epochs, 1, 100_000),
            ("budget", self.budget, 0, 10**15),
            ("batch", self.batch, 1, 65_536),
            ("steps", self.steps, 8, 65_536),
            ("warmup", self.warmup, 0, 1_000_000),
            ("patience", self.patience, 1, 100_000),
            ("transpose", self.transpose, 0, 24),
            ("seed", self.seed, 0, 2**63 - 1),
            ("learning rate", self.learning_rate, 1e-8, 10.0),
            ("weight decay", self.weight_decay, 0.0, 10.0),
            ("clip", self.clip, 1e-6, 1e6),
            ("averaging", self.ema_decay, 0.0, 0.99999),
            ("forget", self.condition_dropout, 0.0, 1.0),
            ("checkpoint seconds", self.checkpoint_seconds, 0.0, 1e6),
        ):
            if not least <= value <= most:
                raise UsageError(f"{name} is out of range: {value}", f"give a number from {least} to {most}")


@dataclass(frozen=True)
class VaeTrainingOptions:
    """Options against posterior collapse.

    Raises:
        UsageError: a value is out of range.

    Examples:
        >>> VaeTrainingOptions().kl_weight(0.0), VaeTrainingOptions(kl_warmup=0.5).kl_weight(0.25)
        (0.0, 0.5)
    """

    free_bits: float = 0.8
    """KL divergence of each latent dimension that costs nothing, in nats (`free_bits_penalty`)."""
    kl_warmup: float = 0.2
    """Fraction of the training during which the weight of the KL divergence rises from 0 to 1."""
    word_dropout: float = 0.05
    """Probability of hiding the last token from the decoder, which then depends on the code (Bowman et al. 2016,
    Generating sentences from a continuous space)."""

    def kl_weight(self, fraction: float) -> float:
        """The weight of the KL divergence after a fraction of the training."""
        return min(fraction / self.kl_warmup, 1.0) if self.kl_warmup else 1.0

    def __post_init__(self) -> None:
        for name, value, most in (
            ("free bits", self.free_bits, 100.0),
            ("KL warm-up", self.kl_warmup, 1.0),
            ("word dropout", self.word_dropout, 1.0),
        ):
            if not 0.0 <= value <= most:
                raise UsageError(f"{name} is out of range: {value}", f"give a number from 0 to {most:g}")


def preset(name: str, encoding: str = "grid") -> tuple[NetworkOptions, TrainingOptions]:
    """The options of the network and its training by name and encoding.

    `quick`: about a minute on one core, since the budget of 4 million steps is independent of the corpus. A network of
    128 cells with echo features, the largest gain of all that we tried; small batches and a high, annealed learning
    rate learned most in that time.

    `paper`: the paper's sizes, 3 x 1024 with dropout 0.4, 200 epochs with early stopping; but every step of a piece is
    predicted, not only the last of 40. The paper's batch of 64 predicts 64 steps, one of 16 pieces about 2,000; with 64
    pieces a corpus as small as the paper's would have four updates an epoch.

    `quick` for notes: a wider network, because a note is predicted from more; more and smaller updates, and averaged
    weights, because it overfits the built-in corpus; whole pieces, since the few that are cut would weigh more than the
    others (docs/models.md).

    Raises:
        UsageError: there is no such preset.
    """
    if name == "quick" and encoding == "notes":
        return NetworkOptions(width=256, embedding=160, dropout=0.5, look_back=(1, 2, 4, 8, 16)), TrainingOptions(
            epochs=8, budget=0, batch=16, steps=1024, learning_rate=3e-3, weight_decay=0.1, ema_decay=0.998
        )
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
    raise UsageError(f"unknown preset '{name}'", "choose quick or paper")
