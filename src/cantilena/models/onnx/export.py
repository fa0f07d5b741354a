"""Export of a bundle as an ONNX model: one graph that composes, continues and scores without Cantilena or Python.

The features of the network, such as positions in the bar and earlier tokens, are computed inside the graph. Its inputs
are tokens, bars and a state of zeros; its outputs are log probabilities and the next state.

Those of a network of notes are too many operations for a graph. There it is one step of the cells and the head, whose
inputs are the rows that `NoteFeatures` computes; `OnnxNotes` does so and runs it.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import MissingError, UsageError, __version__
from cantilena.models.bundle.bundle import Bundle
from cantilena.models.conditions import METERS, REGISTERS, ROLES
from cantilena.models.network.features import Features
from cantilena.models.network.note_features import NoteFeatures, NoteState
from cantilena.models.network.options import NetworkOptions
from cantilena.models.network.stepwise import split_rows
from cantilena.models.network.weights import parameters
from cantilena.models.onnx.graph import Port, feature_names, history_ports, input_ports, network_ports, part_names
from cantilena.models.policy import to_numpy
from cantilena.models.protocol import Bars
from cantilena.music import Key, Meter, Pitch
from cantilena.tokenizers import token_pitches

Floats = NDArray[np.floating[Any]]

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

_HOW_TO_NOTES = (
    "One call is one token: `rows`, `parts` and `bounds` are computed from the tokens so far by the Python package "
    "cantilena, and its class cantilena.models.OnnxNotes runs this file with ONNX Runtime. The state begins with "
    "zeros; give each next_X as state_X of the next call. log_probs holds natural log probabilities of the next token."
)

_FEATURE_OPTIONS = (
    "durations", "pitches", "without", "plan", "harmony", "look_back", "max_context", "conditions", "styles", "modes",
)  # fmt: skip
"""The options of a network on which its features of notes depend."""

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
    vocabulary)` and the next state, `next_NAME`. The file documents each of them. Of a network of notes one call is one
    token, and `OnnxNotes` makes the inputs.

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
    networks = [OnnxNetwork(nodes, options, weights, prefix) for prefix, weights in _networks(bundle).items()]
    axes: tuple[int | str, ...] = ("melodies", "steps", size)
    if options.durations:
        scores, axes = [network.note_scores() for network in networks], ("melodies", size)
    else:
        features = OnnxFeatures(nodes, Features(options, size))
        tokens = features.tokens()
        paper = options.input == "paper"
        inputs = features.windows(tokens) if paper else features.rows(tokens)
        scores = [
            network.window_scores(inputs, "tokens") if paper else network.scores(inputs, tokens.given)
            for network in networks
        ]
    log_probs = policy_in_graph(nodes, bundle.policy, scores[0], scores[-1], size)
    if options.durations:
        log_probs = nodes.add("Squeeze", log_probs, nodes.constant([0]))
    elif options.input != "paper":
        log_probs = nodes.transpose(log_probs, 1, 0, 2)
    nodes.output(log_probs, "log_probs")

    state = _state_ports(bundle, options)
    doc = "natural log probabilities of the next token"
    outputs = [Port("log_probs", "float32", axes, doc), *(port.next() for port in state)]
    model = nodes.model(
        "cantilena",
        [port.info() for port in [*input_ports(options, size), *state]],
        [port.info() for port in outputs],
    )
    how_to = onnx_facts(bundle)["how_to"]
    model.producer_name, model.producer_version, model.doc_string = "cantilena", __version__, how_to
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
    values = {"key": keys, "mode": [*options.modes], "meter": [*METERS], "style": [*options.styles], "role": [*ROLES]}
    values["register"] = [f"from {Pitch(36 + 4 * number).name}" for number in range(REGISTERS)]
    facts: dict[str, Any] = {}
    if options.durations:
        values_of = {name: getattr(options, name) for name in _FEATURE_OPTIONS}
        facts["features"] = {name: [*v] if isinstance(v, tuple) else v for name, v in values_of.items()}
        facts["part_columns"] = part_names(options)
    return facts | {
        "cantilena": __version__,
        "how_to": _HOW_TO_NOTES if options.durations else _HOW_TO,
        "licence": bundle.licence,
        "policy": bundle.policy,
        "vocabulary": list(vocabulary),
        "pitches": [list(pitches) for pitches in token_pitches(bundle.encoding)],
        "start": len(vocabulary),
        "encoding": dict(bundle.encoding_description),
        "step_ticks": bundle.encoding.ticks_per_step,  # of the line; notes count in ticks
        "plain_keys": bool(bundle.provenance.get("plain_keys", True)),
        "tuned_in": {name: _parsed(kind, tuning.get(name)) for name, kind in (("key", Key), ("meter", Meter))},
        "inputs": {port.name: port.doc for port in input_ports(options, len(vocabulary))},
        "state": {port.name: port.doc for port in _state_ports(bundle, options)},
        "columns": feature_names(options),
        "told": list(options.conditions),
        "told_values": {kind: values[kind] for kind in options.conditions},  # id n is the n-th name, from 1
    }


class OnnxNotes:
    """A network of notes in an ONNX file as a sequence model: features in numpy, the network in ONNX Runtime.

    Args:
        content: from `onnx_bytes`.

    Raises:
        UsageError: the file holds no network of notes.
        MissingError: the library `onnxruntime` is not installed.
    """

    uses_bars = True

    def __init__(self, content: bytes) -> None:
        if importlib.util.find_spec("onnxruntime") is None:
            raise MissingError(
                "exported models are run by the library onnxruntime, which is not installed",
                "pip install 'cantilena[onnx]'",
            )
        import onnxruntime

        self.session = onnxruntime.InferenceSession(content)
        facts = self.session.get_modelmeta().custom_metadata_map
        try:
            known: dict[str, Any] = json.loads(facts["features"])
            fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in known.items()}
            self.features = NoteFeatures(NetworkOptions(**fields), len(json.loads(facts["vocabulary"])))
        except (KeyError, ValueError, TypeError) as error:
            raise UsageError(
                "this ONNX file holds no network of notes", "export one with `cantilena export`"
            ) from error
        ports = [port for port in self.session.get_inputs() if port.name.startswith("state_")]
        self._states = {port.name: port.shape[1:] for port in ports}

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens."""
        return self.features.vocabulary_size

    def start(self, melodies: int, *, bars: Bars | None = None) -> tuple[Floats, Any]:
        """`(melodies, vocabulary)` log p of the first token, and the state; bars default to 4/4."""
        rows, features = self.features.first(melodies, bars)
        zeros = {name: np.zeros((melodies, *shape), dtype=np.float32) for name, shape in self._states.items()}
        return self._run(rows, features, zeros)

    def step(self, tokens: Any, state: Any) -> tuple[Floats, Any]:  # noqa: ANN401
        """`(melodies, vocabulary)` log p of the next token after `(melodies,)` tokens, and the new state."""
        rows, features = self.features.next(to_numpy(tokens), state[0])
        return self._run(rows, features, state[1])

    def log_probs(self, tokens: Any, *, bars: Bars | None = None) -> Floats:  # noqa: ANN401
        """`(melodies, tokens, vocabulary)` log p of each token given those before it."""
        known = to_numpy(tokens)
        log_p, (log_probs, state) = np.empty((*known.shape, self.vocabulary_size)), self.start(len(known), bars=bars)
        for step in range(known.shape[1]):
            log_p[:, step] = log_probs
            log_probs, state = self.step(known[:, step], state)
        return log_p

    def _run(self, rows: NDArray[np.int64], features: NoteState, hidden: Mapping[str, Any]) -> tuple[Floats, Any]:
        rows, parts, bounds = split_rows(rows, self.features.columns)
        begins = np.full(len(rows), not features.event, dtype=np.int64)
        given = {"rows": rows, "parts": parts, "bounds": bounds, "begins": begins, **hidden}
        log_probs, *after = self.session.run(None, given)
        return log_probs, (features, dict(zip(hidden, after, strict=True)))


def check_exportable(bundle: Bundle) -> NetworkOptions:
    """The options of the network; errors as of `onnx_bytes`."""
    if bundle.kind.name in _REFUSALS:
        raise UsageError(*_REFUSALS[bundle.kind.name])
    options = bundle.network_options()
    if options.core not in CORES:
        raise UsageError(
            f"a network with the core {options.core} cannot be exported", f"train one with --core {' or '.join(CORES)}"
        )
    if options.melodic:
        raise UsageError(
            "a network of the grid that is given the last notes cannot be exported", "train one without --melodic"
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
