"""`train --model vae`: a VAE of a corpus's windows, and what its codes say of pieces that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cantilena.models import Bundle, MelodyVae, VaeOptions, Windows, bound, reconstruction
from cantilena.runtime import generator, record_name, say
from cantilena.tokenizers import Encoding
from cantilena.workflows.data import Material, Pieces
from cantilena.workflows.train.bundling import vae_bundle
from cantilena.workflows.train.options import ALSO_OF_A_VAE, TrainRequest

if TYPE_CHECKING:  # torch takes seconds to import
    from cantilena.training import TrainingOptions, VaeTrainingOptions

CODES = 16
"""Codes a window by which `train` measures its bounds."""


@dataclass(frozen=True)
class LearnedVae:
    """A VAE with its bundle, and what it took.

    Args:
        bundle: as it is kept.
        model: the same, to measure.
        epochs: passes through the training pieces.
        seconds: how long it took.
    """

    bundle: Bundle
    model: MelodyVae
    epochs: int
    seconds: float


@dataclass(frozen=True)
class CodeNumbers:
    """What a VAE's codes say of some pieces.

    Args:
        elbo: nats a step at most, by one code a window.
        weighted: the same by the importance-weighted bound of `samples` codes.
        samples: codes drawn for each window.
        kl: nats a window: the divergence of the codes from the prior.
        active: share of the code's numbers that say anything.
        steps: share of the steps that come back exactly from the mean code.
        bars: share of the bars.
        windows: share of the windows.
        steps_per_note: steps over note onsets.
    """

    elbo: float
    weighted: float
    samples: int
    kl: float
    active: float
    steps: float
    bars: float
    windows: float
    steps_per_note: float

    @classmethod
    def of(
        cls, vae: MelodyVae, pieces: Pieces, encoding: Encoding, samples: int, rng: np.random.Generator
    ) -> CodeNumbers:
        """Measure pieces.

        Args:
            vae: whose codes.
            pieces: what they shall say.
            encoding: what the tokens mean.
            samples: codes drawn for each window.
            rng: draws them.
        """
        windows = Windows.from_sequences(pieces.sequences.without_conditions(), vae.options.bars).sequences
        found, back = bound(vae, windows, samples, rng), reconstruction(vae, windows)
        elbo, weighted = found.per_step(found.elbo), found.per_step(found.weighted)
        kl = float(found.divergence.mean())
        notes = sum(int((encoding.line(tokens[None, :]).pitch >= 0).sum()) for tokens in windows.tokens)
        return cls(
            elbo,
            weighted,
            samples,
            kl,
            found.active,
            back.steps,
            back.bars,
            back.windows,
            windows.steps / max(notes, 1),
        )

    @property
    def scores(self) -> dict[str, float | None]:
        """Nats a step and a note at most, as other models' scores."""
        return {"nats_per_step": self.weighted, "nats_per_note": self.weighted * self.steps_per_note}

    def to_json(self) -> dict[str, Any]:
        """As `train --json` prints it."""
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}

    def text(self) -> str:
        """A line for a terminal."""
        return (
            f"ELBO {self.elbo:.4f}; {self.steps:.1%} of steps and {self.bars:.1%} of bars come back from their codes, "
            f"{self.active:.0%} of whose numbers are active, {self.kl:.1f} nats a window"
        )


def vae_shape(request: TrainRequest) -> tuple[VaeOptions, TrainingOptions, VaeTrainingOptions]:
    """The VAE and its training with what was asked otherwise.

    Raises:
        UsageError: what no VAE can have.
    """
    from cantilena.training import TrainingOptions, VaeTrainingOptions

    asked = {name: getattr(request, name) for name in (*ALSO_OF_A_VAE, "seed", "device")}
    asked = {name: value for name, value in asked.items() if value is not None}
    named = {"latent": request.latent, "bars": request.code_bars}
    shape = VaeOptions(
        **{name: value for name, value in named.items() if value is not None},
        **{name: value for name, value in asked.items() if name in {field.name for field in fields(VaeOptions)}},
    )
    training = TrainingOptions(budget=8_000_000, batch=64, learning_rate=4e-3, warmup=100)
    if not request.normalized_key and request.transpose is None:
        training = replace(training, transpose=6)
    known = {record_name(field): field.name for field in fields(TrainingOptions)}
    training = replace(training, **{known[name]: value for name, value in asked.items() if name in known})
    learned = {name: getattr(request, name) for name in ("free_bits", "kl_warmup", "word_dropout")}
    return shape, training, VaeTrainingOptions(**{name: value for name, value in learned.items() if value is not None})


def learn_vae(
    request: TrainRequest, material: Material, corpus: Mapping[str, str], *, folder: Path | None, resume: bool
) -> LearnedVae:
    """Train a VAE on the material and put it into a bundle.

    Args:
        request: what was asked.
        material: what it learns from.
        corpus: whose that is (`corpus_facts`).
        folder: where checkpoints go; nowhere if None.
        resume: go on from the folder's checkpoint.
    """
    from cantilena.training import train_vae, transpositions  # torch takes seconds to import

    shape, training, learning = vae_shape(request)
    trained = train_vae(
        material.train.sequences,
        material.valid.sequences,
        vocabulary_size=len(material.encoding.vocabulary),
        shape=shape,
        training=training,
        learning=learning,
        folder=folder,
        resume=resume,
        transpositions=transpositions(material.encoding, training.transpose) if training.transpose else None,
    )
    bundle = vae_bundle(trained, material, shape, training, learning, corpus)
    return LearnedVae(bundle, MelodyVae(shape, bundle.weights), trained.epochs, trained.seconds)


def codes_of_parts(vae: MelodyVae, material: Material, seed: int) -> dict[str, CodeNumbers]:
    """What the codes say of the pieces that a material holds out, `valid` and `test`.

    Args:
        vae: whose codes.
        material: what it learned from.
        seed: draws codes.
    """
    say("Measuring codes")
    parts = {"valid": material.valid, "test": material.test}
    return {
        name: CodeNumbers.of(vae, pieces, material.encoding, CODES, generator(seed, "codes", name))
        for name, pieces in parts.items()
    }
