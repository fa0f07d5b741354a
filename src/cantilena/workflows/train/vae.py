"""The VAE of `train`: its options, its training, and how well it predicts and reconstructs held-out pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cantilena.models import Bundle, MelodyVae, VaeOptions, Windows, bound, reconstruction
from cantilena.runtime import generator, log
from cantilena.tokenizers import Encoding
from cantilena.training import TrainingOptions
from cantilena.workflows.data import EncodedCorpus, EncodedPieces
from cantilena.workflows.train.bundling import trained_bundle
from cantilena.workflows.train.config import with_given
from cantilena.workflows.train.options import VaeTraining

if TYPE_CHECKING:  # torch takes seconds to import
    from cantilena.models import VaeNetwork
    from cantilena.training import TrainResult, VaeTrainingOptions

CODES = 16
"""Codes drawn for each window to measure the bounds."""


def vae_shape(options: VaeTraining) -> tuple[VaeOptions, TrainingOptions, VaeTrainingOptions]:
    """The VAE and its training, with what differs from the defaults.

    Raises:
        UsageError: a value that no VAE can have.
    """
    from cantilena.training import VaeTrainingOptions

    training = TrainingOptions(budget=8_000_000, batch=64, learning_rate=4e-3, warmup=100)
    if not options.normalized_key and options.transpose is None:
        training = replace(training, transpose=6)
    names = [field.name for field in fields(VaeTraining)]
    shape = with_given(VaeOptions(), options, names)
    if options.code_bars is not None:
        shape = replace(shape, bars=options.code_bars)
    return shape, with_given(training, options, names), with_given(VaeTrainingOptions(), options, names)


def learn_vae(
    options: VaeTraining, data: EncodedCorpus, corpus: Mapping[str, Any], *, folder: Path | None, resume: bool
) -> tuple[TrainResult[VaeNetwork], Bundle]:
    """Train a VAE on an encoded corpus, and put it into a bundle; arguments as of `learn_network`."""
    from cantilena.training import train_vae, transpositions  # torch takes seconds to import

    shape, training, learning = vae_shape(options)
    trained = train_vae(
        data.train.sequences,
        data.valid.sequences,
        vocabulary_size=len(data.encoding.vocabulary),
        shape=shape,
        training=training,
        learning=learning,
        folder=folder,
        resume=resume,
        transpositions=transpositions(data.encoding, training.transpose) if training.transpose else None,
    )
    return trained, trained_bundle(trained, data, shape, training, learning, corpus=corpus)


def measure_vae(vae: MelodyVae, data: EncodedCorpus, seed: int) -> dict[str, dict[str, float]]:
    """Measure a VAE on the `valid` and `test` pieces.

    Returns:
        For both: `elbo` and `weighted`, upper bounds of nats a step by one code a window and by importance weighting of
        `samples` codes; `kl`, the divergence from the prior, nats a window; the shares of `active` latent dimensions
        and of `steps`, `bars` and `windows` that are reconstructed exactly from the mean code; `steps_per_note`.
    """
    log("Measuring codes")
    parts = {"valid": data.valid, "test": data.test}
    return {
        name: _measure(vae, pieces, data.encoding, generator(seed, "codes", name)) for name, pieces in parts.items()
    }


def _measure(vae: MelodyVae, pieces: EncodedPieces, encoding: Encoding, rng: np.random.Generator) -> dict[str, float]:
    windows = Windows.from_sequences(pieces.sequences.without_conditions(), vae.options.bars).sequences
    result, back = bound(vae, windows, CODES, rng), reconstruction(vae, windows)
    notes = sum(int((encoding.line(tokens[None, :]).pitch >= 0).sum()) for tokens in windows.tokens)
    return {
        "elbo": result.per_step(result.elbo),
        "weighted": result.per_step(result.weighted),
        "samples": CODES,
        "kl": float(result.divergence.mean()),
        "active": result.active,
        "steps": back.steps,
        "bars": back.bars,
        "windows": back.windows,
        "steps_per_note": windows.steps / max(notes, 1),
    }
