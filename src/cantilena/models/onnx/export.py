"""Export of a bundle as an ONNX model: one graph that composes, continues and scores without Cantilena or Python.

The features of the network, such as positions in the bar and earlier tokens, are computed inside the graph. Its inputs
are tokens, bars and a state of zeros; its outputs are log probabilities and the next state.
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
from cantilena.models.onnx.graph import Port, feature_names, history_ports, input_ports, network_ports
from cantilena.music import Key, Meter

CORES = ("lstm", "gru", "rnn")
"""The cores that can be exported."""

MAX_BYTES = 2_000_000_000
"""An ONNX file is one protobuf message, of less than 2 GiB."""

PRIOR = "prior_"
"""Prefix of the weights and the state of the network before tuning, if the policy needs it."""

_HOW_TO = (
    "Call it with `tokens` = the start token and a state of zeros: log_probs holds natural log probabilities of the "
    "first token. Choose one, call again with it and with each next_X as state_X, and so on. To judge a melody or to "
    "continue one, give many tokens in one call: entry t of log_probs is of the token after tokens[t]."
)

_REFUSALS = {
    "ngram": (
        "this model is an n-gram, which holds counts; a graph holds a network",
        "name a network: `cantilena train` makes one unless it is told --model ngram",
    ),
    "vae": ("this model is a VAE, and only networks that predict tokens can be exported", "name such a network"),
    "blend": (
        "this model blends a network with an n-gram, whose counts no graph holds",
        "name a network alone: `cantilena train` makes one unless it is told --blend",
    ),
}


def onnx_bytes(bundle: Bundle) -> bytes:
    """The ONNX file of a bundle's model; the same bundle and version of Cantilena give the same bytes.

    Inputs are `tokens` `(melodies, steps)`, for a network that uses bars `steps_per_bar` and `pickup` `(melodies,)`,
    with conditions `told`, and the parts of the state, `state_NAME`. Outputs are `log_probs` `(melodies, steps,
    vocabulary)` and the next state, `next_NAME`. The file documents each of them.

    Raises:
        UsageError: the model is no network, its core cannot be exported, or it has more than two gigabytes.
        MissingError: the library `onnx` is not installed.

    Examples:
        >>> from cantilena.models import find_bundle
        >>> content = onnx_bytes(Bundle.load(find_bundle("tunes")))
        >>> content == onnx_bytes(Bundle.load(find_bundle("tunes")))
        True
    """
    options = check_exportable(bundle)
    from onnx import helper

    from cantilena.models.onnx.features import OnnxFeatures
    from cantilena.models.onnx.graph import Nodes
    from cantilena.models.onnx.network import OnnxNetwork, policy_in_graph

    size, nodes = len(bundle.encoding.vocabulary), Nodes()
    features = OnnxFeatures(nodes, Features(options, size))
    tokens = features.tokens()
    paper = options.input == "paper"
    inputs = features.windows(tokens) if paper else features.rows(tokens)
    scores = []
    for prefix, weights in _networks(bundle).items():
        network = OnnxNetwork(nodes, options, weights, prefix)
        scores.append(network.window_scores(inputs, "tokens") if paper else network.scores(inputs, tokens.given))
    log_probs = policy_in_graph(nodes, bundle.policy, scores[0], scores[-1], size)
    nodes.output(log_probs if paper else nodes.transpose(log_probs, 1, 0, 2), "log_probs")

    state = _state_ports(bundle, options)
    doc = "natural log probabilities of the next token"
    outputs = [Port("log_probs", "float32", ("melodies", "steps", size), doc), *(port.next() for port in state)]
    model = nodes.model(
        "cantilena",
        [port.info() for port in [*input_ports(options, size), *state]],
        [port.info() for port in outputs],
    )
    model.producer_name, model.producer_version, model.doc_string = "cantilena", __version__, _HOW_TO
    facts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in onnx_facts(bundle).items()}
    helper.set_model_props(
        model, {name: text.encode("utf-8", "backslashreplace").decode() for name, text in facts.items()}
    )
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def onnx_facts(bundle: Bundle) -> dict[str, Any]:
    """The metadata of the file: strings as they are, everything else as JSON; errors as of `onnx_bytes`."""
    options = check_exportable(bundle)
    vocabulary = bundle.encoding.vocabulary
    record = bundle.provenance.get("tuning")
    tuning = record if isinstance(record, dict) else {}
    keys = [Key(tonic).name.partition(" ")[0] for tonic in range(12)]
    values = {"key": keys, "mode": [*MODES], "meter": [*METERS], "style": [*options.styles]}
    pitches = [bundle.encoding.decode([token]).sounding for token in range(len(vocabulary))]
    return {
        "cantilena": __version__,
        "how_to": _HOW_TO,
        "licence": bundle.licence,
        "policy": bundle.policy,
        "vocabulary": list(vocabulary),
        "pitches": [[int(pitch) for note in notes for pitch in note.pitches] for notes in pitches],
        "start": len(vocabulary),
        "encoding": dict(bundle.encoding_description),
        "step_ticks": bundle.encoding.ticks_per_step,
        "plain_keys": bool(bundle.provenance.get("plain_keys", True)),
        "tuned_in": {name: _parsed(kind, tuning.get(name)) for name, kind in (("key", Key), ("meter", Meter))},
        "inputs": {port.name: port.doc for port in input_ports(options, len(vocabulary))},
        "state": {port.name: port.doc for port in _state_ports(bundle, options)},
        "columns": feature_names(options),
        "told": list(options.conditions),
        "told_values": {kind: values[kind] for kind in options.conditions},  # id n is the n-th name, from 1
    }


def check_exportable(bundle: Bundle) -> NetworkOptions:
    """The options of the network; errors as of `onnx_bytes`."""
    if bundle.kind.name in _REFUSALS:
        raise UsageError(*_REFUSALS[bundle.kind.name])
    options = bundle.network_options()
    if options.core not in CORES:
        raise UsageError(
            f"a network with the core {options.core} cannot be exported", f"train one with --core {' or '.join(CORES)}"
        )
    numbers = parameters(options, len(bundle.encoding.vocabulary)) * len(_networks(bundle))
    if 4 * numbers > MAX_BYTES:
        raise UsageError(
            f"a network of {numbers:,} numbers, and an ONNX file holds {MAX_BYTES // 4:,}",
            "train one of less --width or fewer --layers",
        )
    if importlib.util.find_spec("onnx") is None:
        raise MissingError(
            "models are exported by the library onnx, which is not installed", "pip install 'cantilena[onnx]'"
        )
    return options


def _networks(bundle: Bundle) -> dict[str, Mapping[str, Any]]:
    """The weights of each network that the policy needs, by the prefix of its names."""
    networks = {"": bundle.weights}
    if bundle.policy == "g" and bundle.prior_weights is not None:
        networks[PRIOR] = bundle.prior_weights
    return networks


def _state_ports(bundle: Bundle, options: NetworkOptions) -> list[Port]:
    networks = [port for prefix in _networks(bundle) for port in network_ports(options, prefix)]
    return [*history_ports(options), *networks]


def _parsed(kind: type[Key] | type[Meter], text: object) -> str:
    """The name of a key or meter; empty if a bundle names none or an invalid one."""
    try:
        return str(kind.parse(text)) if isinstance(text, str) and text else ""
    except UsageError:
        return ""
