"""A trained network or VAE, a counted n-gram, or a network with one as a bundle that says where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from cantilena.data import Corpus
from cantilena.models import Blend, Bundle, NetworkOptions, NGram, NGramOptions, NGramPart, VaeOptions, ngram_arrays
from cantilena.runtime import options_record
from cantilena.workflows.data import Material

if TYPE_CHECKING:  # an n-gram needs no torch
    from cantilena.models import Network, VaeNetwork
    from cantilena.training import TrainingOptions, TrainResult, VaeTrainingOptions


def corpus_facts(corpus: Corpus) -> dict[str, str]:
    """Name, licence and digest of a corpus, as bundles and runs record them."""
    return {"name": corpus.manifest.name, "licence": corpus.manifest.licence, "sha256": corpus.sha256}


def trained_bundle(
    trained: TrainResult[Network],
    material: Material,
    network: NetworkOptions,
    training: TrainingOptions,
    corpus: Mapping[str, Any],
) -> Bundle:
    """Put a trained network into a bundle, with its encoding, its licence and its provenance.

    Args:
        trained: the network and how training went.
        material: what it learned from.
        network: its shape.
        training: how it was trained.
        corpus: the facts of the corpus (`corpus_facts`), whose licence is the model's.
    """
    together = {"processes": trained.processes} if trained.processes > 1 else {}
    styles = {"styles": dict(material.styles), "styles_by": material.styles_by} if network.styles else {}
    return _learned(
        network,
        trained.network.numpy_weights(),
        material,
        corpus,
        training={**options_record(training), **together, **_epochs(trained)},
        valid_nats_per_step=trained.valid,
        **styles,
    )


def vae_bundle(
    trained: TrainResult[VaeNetwork],
    material: Material,
    shape: VaeOptions,
    training: TrainingOptions,
    learning: VaeTrainingOptions,
    corpus: Mapping[str, Any],
) -> Bundle:
    """Put a trained VAE into a bundle; arguments as of `trained_bundle`, and what of learning only a VAE knows."""
    return _learned(
        shape,
        trained.network.numpy_weights(),
        material,
        corpus,
        training={**options_record(training), **options_record(learning), **_epochs(trained)},
        valid_loss_per_step=trained.valid,
    )


def counted_bundle(counted: NGram, material: Material, corpus: Mapping[str, Any]) -> Bundle:
    """Put an n-gram into a bundle, with its encoding, its licence and its provenance.

    Args:
        counted: the n-gram.
        material: what it counted.
        corpus: the facts of the corpus (`corpus_facts`), whose licence is the model's.
    """
    facts = {**options_record(counted.options), "contexts": len(counted.tree.edges) + 1}
    return _learned(counted.options, ngram_arrays(counted), material, corpus, ngram=facts)


def blended_bundle(trained: Bundle, blend: Blend) -> Bundle:
    """Put the n-gram that a network was blended with beside it.

    Args:
        trained: the network's bundle.
        blend: the network with the n-gram.
    """
    ngram = blend.ngram
    facts = {**options_record(ngram.options), "contexts": len(ngram.tree.edges) + 1, "share": blend.share}
    return replace(
        trained,
        ngram=NGramPart(ngram.options, ngram_arrays(ngram), blend.share),
        provenance={**trained.provenance, "ngram": facts},
    )


def _epochs(trained: TrainResult[Any]) -> dict[str, int]:
    return {"epochs_done": trained.epochs, "best_epoch": trained.best_epoch}


def _learned(
    options: NetworkOptions | NGramOptions | VaeOptions,
    weights: Mapping[str, NDArray[Any]],
    material: Material,
    corpus: Mapping[str, Any],
    **provenance: Any,  # noqa: ANN401  (JSON values)
) -> Bundle:
    """A bundle of what was learned from a material: its encoding, its licence, and what it was learned from."""
    return Bundle(
        options=options,
        weights=weights,
        encoding_description=material.encoding.description(),
        licence=str(corpus.get("licence", "")),
        provenance={"corpus": dict(corpus), "plain_keys": material.normalized_key, **provenance},
    )
