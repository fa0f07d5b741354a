"""A bundle as an ONNX model: one graph that composes, continues and judges without Cantilena and without Python.

What the network is told, such as places in the bar and what sounded bars ago, is computed inside the graph. Whoever
runs it gives tokens, the bars and a state of zeros, and gets log probabilities and the next state.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from typing import Any

from cantilena.errors import MissingError, UsageError, __version__
from cantilena.models.bundle.bundle import Bundle
from cantilena.models.conditions import METERS, MODES
from cantilena.models.network.features import Features
from cantilena.models.network.options import NetworkOptions
from cantilena.models.network.weights import parameters
from cantilena.models.ngram.options import NGramOptions
from cantilena.models.onnx.graph import Port, asked, hidden, known_columns, memory
from cantilena.models.vae.options import VaeOptions
from cantilena.music import Key, Meter

CORES = ("lstm", "gru", "rnn")
"""The cores that a graph can hold."""

MOST_BYTES = 2_000_000_000
"""An ONNX file is one message, of less than 2 GiB."""

PRIOR = "prior_"
"""Begins the names of the weights and the state of the network before tuning, where the policy asks for it."""

_HOW_TO = (
    "Call it with `tokens` = the start token and a state of zeros: log_probs holds natural log probabilities of the "
    "first token. Choose one, call again with it and with each next_X as state_X, and so on. To judge a melody or to "
    "continue one, give many tokens in one call: entry t of log_probs is of the token after tokens[t]."
)


def onnx_bytes(bundle: Bundle) -> bytes:
    """The ONNX file of a bundle's model; the same bundle and version of Cantilena give the same bytes.

    Inputs are `tokens` `(melodies, steps)`, where the network cares for bars `steps_per_bar` and `pickup`
    `(melodies,)`, where it is told more `told`, and the parts of the state, each `state_` and a name. Outputs are
    `log_probs` `(melodies, steps, vocabulary)` and the state after, each `next_` and the same name. What they mean
    stands in the file.

    Raises:
        UsageError: an n-gram or a blend, a core that no graph holds, or a network of more than two gigabytes.
        MissingError: the library `onnx` is not installed.

    Example:
        >>> from cantilena.models import find_bundle
        >>> content = onnx_bytes(Bundle.load(find_bundle("tunes")))
        >>> content == onnx_bytes(Bundle.load(find_bundle("tunes")))
        True
    """
    options = check_exportable(bundle)
    from onnx import helper

    from cantilena.models.onnx.features import OnnxFeatures
    from cantilena.models.onnx.graph import Nodes, tensor
    from cantilena.models.onnx.network import OnnxNetwork, policy_in_graph

    size, nodes = len(bundle.encoding.vocabulary), Nodes()
    made = OnnxFeatures(nodes, Features(options, size))
    heard = made.heard()
    paper = options.input == "paper"
    told = made.windows(heard) if paper else made.rows(heard)
    scores = []
    for prefix, weights in _networks(bundle).items():
        network = OnnxNetwork(nodes, options, weights, prefix)
        scores.append(network.window_scores(told, "tokens") if paper else network.scores(told, heard.given))
    log_probs = policy_in_graph(nodes, bundle.policy, scores[0], scores[-1], size)
    nodes.named(log_probs if paper else nodes.add("Transpose", log_probs, perm=[1, 0, 2]), "log_probs")

    inputs, state = _ports(bundle, options)
    out = tensor("log_probs", "float32", ("melodies", "steps", size), "natural log probabilities of the next token")
    model = nodes.model(
        "cantilena",
        [tensor(port.name, port.kind, port.shape, port.doc) for port in [*inputs, *state]],
        [out, *(tensor(port.after, port.kind, port.shape, port.doc) for port in state)],
    )
    model.producer_name, model.producer_version, model.doc_string = "cantilena", __version__, _HOW_TO
    facts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in onnx_facts(bundle).items()}
    helper.set_model_props(
        model, {name: text.encode("utf-8", "backslashreplace").decode() for name, text in facts.items()}
    )
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def onnx_facts(bundle: Bundle) -> dict[str, Any]:
    """What the file says of itself in its metadata: texts as they are, everything else as JSON.

    Args:
        bundle: whose model is written.

    Raises:
        UsageError: as `onnx_bytes`, like the other.
        MissingError: the same.
    """
    options = check_exportable(bundle)
    vocabulary = bundle.encoding.vocabulary
    inputs, state = _ports(bundle, options)
    said = bundle.provenance.get("tuning")
    tuning = said if isinstance(said, dict) else {}
    told = _told(options, len(vocabulary))
    return {
        "cantilena": __version__,
        "how_to": _HOW_TO,
        "licence": bundle.licence,
        "policy": bundle.policy,
        "vocabulary": list(vocabulary),
        "pitches": _pitches(bundle),
        "start": len(vocabulary),
        "encoding": dict(bundle.encoding_description),
        "step_ticks": bundle.encoding.step_ticks,
        "plain_keys": bool(bundle.provenance.get("plain_keys", True)),
        "tuned_in": {name: _parsed(kind, tuning.get(name)) for name, kind in (("key", Key), ("meter", Meter))},
        "inputs": {port.name: port.doc for port in inputs},
        "state": {port.name: port.doc for port in state},
        "columns": [*known_columns(options), *told],
        "told": told,
        "told_values": _values(options),
    }


def check_exportable(bundle: Bundle) -> NetworkOptions:
    """The shape of the network that a graph can hold.

    Raises:
        UsageError: there is none in the bundle.
        MissingError: the library `onnx` is not installed.
    """
    options = bundle.options
    if isinstance(options, NGramOptions):
        raise UsageError(
            "this model is an n-gram, which holds counts; a graph holds a network",
            "name a network: `cantilena train` makes one unless it is told --model ngram",
        )
    if isinstance(options, VaeOptions):
        raise UsageError("this model is a VAE, and the graphs that we write predict", "name a network that predicts")
    if bundle.ngram is not None:
        raise UsageError(
            "this model blends a network with an n-gram, whose counts no graph holds",
            "name a network alone: `cantilena train` makes one unless it is told --blend",
        )
    if options.core not in CORES:
        raise UsageError(
            f"a network with the core {options.core} cannot be exported", f"train one with --core {' or '.join(CORES)}"
        )
    numbers = parameters(options, len(bundle.encoding.vocabulary)) * len(_networks(bundle))
    if 4 * numbers > MOST_BYTES:
        raise UsageError(
            f"a network of {numbers:,} numbers, and an ONNX file holds {MOST_BYTES // 4:,}",
            "train one of less --width or fewer --layers",
        )
    if importlib.util.find_spec("onnx") is None:
        raise MissingError(
            "models are exported by the library onnx, which is not installed", "pip install 'cantilena[onnx]'"
        )
    return options


def _networks(bundle: Bundle) -> dict[str, Mapping[str, Any]]:
    """The weights of each network that the policy asks for, by the prefix of its names."""
    networks = {"": bundle.weights}
    if bundle.policy == "g" and bundle.prior_weights is not None:
        networks[PRIOR] = bundle.prior_weights
    return networks


def _ports(bundle: Bundle, options: NetworkOptions) -> tuple[list[Port], list[Port]]:
    """The inputs, and the state."""
    size = len(bundle.encoding.vocabulary)
    told = len(_told(options, size))
    weighed = [port for prefix in _networks(bundle) for port in hidden(options, prefix)]
    return asked(options, size, told), [*memory(options), *weighed]


def _told(options: NetworkOptions, vocabulary_size: int) -> list[str]:
    """What a network is told of a melody beforehand, by name."""
    if options.input == "paper":
        return []
    more = Features(options, vocabulary_size).columns - len(known_columns(options))
    names = [*options.conditions]
    assert len(names) == more, "features that the graph does not know"
    return names


def _values(options: NetworkOptions) -> dict[str, list[str]]:
    """What the numbers of each condition mean: number n is the n-th name, from 1 on; 0 is not told."""
    keys = [Key(tonic).name.partition(" ")[0] for tonic in range(12)]
    names = {"key": keys, "mode": [*MODES], "meter": [*METERS], "style": [*options.styles]}
    return {kind: names[kind] for kind in options.conditions}


def _pitches(bundle: Bundle) -> list[list[int]]:
    """The MIDI pitches that each token strikes; none for a hold or an off."""
    struck = [bundle.encoding.decode([token]).sounding for token in range(len(bundle.encoding.vocabulary))]
    return [[int(pitch) for note in notes for pitch in note.pitches] for notes in struck]


def _parsed(kind: type[Key] | type[Meter], text: object) -> str:
    """A key or meter by name, empty where a bundle says none or nonsense."""
    try:
        return str(kind.parse(text)) if isinstance(text, str) and text else ""
    except UsageError:
        return ""
