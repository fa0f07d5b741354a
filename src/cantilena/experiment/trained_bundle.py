"""A trained network, a counted n-gram or both as a bundle that says where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cantilena.corpus import Corpus
from cantilena.experiment.material import Material
from cantilena.model import Blend, Bundle, NetworkOptions, NGram, NGramPart, ngram_arrays
from cantilena.runs import options_record

if TYPE_CHECKING:  # an n-gram needs no torch
    from cantilena.model import Network
    from cantilena.training import Trained, TrainingOptions


def corpus_facts(corpus: Corpus) -> dict[str, str]:
    """Name, licence and digest of a corpus, as bundles and runs record them."""
    return {"name": corpus.manifest.name, "licence": corpus.manifest.licence, "sha256": corpus.sha256}


def trained_bundle(
    trained: Trained[Network],
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
    return Bundle(
        options=network,
        weights=trained.network.numpy_weights(),
        encoding_description=material.encoding.description(),
        licence=str(corpus.get("licence", "")),
        provenance={
            "corpus": dict(corpus),
            "plain_keys": material.plain_keys,
            "training": {
                **options_record(training),
                **together,
                "epochs_done": trained.epochs,
                "best_epoch": trained.best_epoch,
            },
            "valid_nats_per_step": trained.valid,
            **({"styles": dict(material.styles), "styles_by": material.styles_by} if network.styles else {}),
        },
    )


def counted_bundle(counted: NGram, material: Material, corpus: Mapping[str, Any]) -> Bundle:
    """Put an n-gram into a bundle, with its encoding, its licence and its provenance.

    Args:
        counted: the n-gram.
        material: what it counted.
        corpus: the facts of the corpus (`corpus_facts`), whose licence is the model's.
    """
    return Bundle(
        options=counted.options,
        weights=ngram_arrays(counted),
        encoding_description=material.encoding.description(),
        licence=str(corpus.get("licence", "")),
        provenance={
            "corpus": dict(corpus),
            "plain_keys": material.plain_keys,
            "ngram": {**options_record(counted.options), "contexts": len(counted.tree.edges) + 1},
        },
    )


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
