"""Imports Magenta's Note RNN: the arrays of an .npz file by TensorFlow's names, and a bundle of them.

TensorFlow's LSTM has one kernel for input and hidden state together, adds its forget bias when it runs, and orders its
gates i, j, f, o, with j the candidate (`BasicLSTMCell` and `LSTMCell`, and the cuDNN compatible cell, which adds none):

    [a_i a_j a_f a_o] = [x h] K + b
    c' = sigma(a_f + 1) . c + sigma(a_i) . tanh(a_j);   h' = sigma(a_o) . tanh(c');   scores = h' W + w

torch has a matrix each for x and h, orders the gates i, f, g, o, and g is j. The input x is one-hot: so our table holds
the unit vectors, and the start symbol is the unit vector of the note that RL Tuner feeds before the first step.

Magenta's melody encoder writes 0 for "no event" and 1 for "note off"; RL Tuner's rules, and our grid, read 0 as off and
1 as hold. A Note RNN of Magenta's melodies that is read the other way plays short notes between long rests. Which it is
shows in samples of the model: on a grid of sixteenths, holds are far more frequent than offs.
"""

from __future__ import annotations

import hashlib
import math
import re
import tokenize
import warnings
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cantilena.errors import InputError, UsageError
from cantilena.models.bundle.bundle import Bundle
from cantilena.models.network.inference import NumpyNetwork
from cantilena.models.network.options import NetworkOptions
from cantilena.music import Pitch
from cantilena.runtime import generator
from cantilena.tokenizers import GridEncoding

Floats = NDArray[np.float32]

MAX_BYTES = 512 * 2**20
"""Bytes of the file, and of all arrays together."""

MAX_ARRAYS = 10_000

_SAMPLES, _SAMPLE_STEPS = 64, 64
_HOLD_SHARE, _HOLD_RATIO = 0.2, 4.0
"""Class 0 is the hold if it has at least this share of sampled steps, and this many times those of class 1."""

_SCOPE = r"(?:(?P<scope>.+?)/)??"
_CELL = re.compile(
    rf"{_SCOPE}(?:cudnn_lstm/)?(?:rnn|RNN)/(?:(?:multi_rnn_cell/cell_|MultiRNNCell/Cell)(?P<layer>\d{{1,3}})/)?"
    r"(?P<cell>basic_lstm_cell|lstm_cell|cudnn_compatible_lstm_cell|BasicLSTMCell|LSTMCell)/"
    r"(?:(?P<kernel>kernel|weights|W_0|Linear/Matrix)|bias|biases|B|Linear/Bias)(?::\d+)?"
)
_COMPATIBLE = "cudnn_compatible_lstm_cell"
_HEAD = re.compile(rf"{_SCOPE}fully_connected/(?:(?P<kernel>weights|kernel)|bias|biases)(?::\d+)?")
_OF_TRAINING = re.compile(
    r"(?:.+/)?(?:global_step|beta[12]_power|Adam(?:_\d+)?|Momentum|Adagrad|RMSProp(?:_\d+)?|ExponentialMovingAverage)(?::\d+)?"
)

_ARCHIVE_HINT = "write it again with numpy.savez, one array of floating point numbers for each variable"
_NETWORK_HINT = (
    "importable are RL Tuner's Note RNN and Magenta's basic_rnn, which read one class a step and nothing else"
)
_WIDTH_HINT = "every layer must have as many cells as the last layer reads"
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, TypeError, SyntaxError, tokenize.TokenError,
    NotImplementedError, RuntimeError, MemoryError,
)  # fmt: skip
"""What zipfile and numpy raise for damaged files; a KeyError is a missing member."""


@dataclass(frozen=True)
class NoteRnn:
    """The weights of a Note RNN in TensorFlow's layout.

    Args:
        kernels: of each layer `(input + width, 4 width)`, gates i, j, f, o.
        biases: of each layer `(4 width,)`.
        forget_biases: of each layer, what its cell adds to the forget gate.
        head: `(width, classes)`.
        head_bias: `(classes,)`.

    Raises:
        InputError: the shapes do not fit together.
    """

    kernels: Sequence[Floats]
    biases: Sequence[Floats]
    forget_biases: Sequence[float]
    head: Floats
    head_bias: Floats

    def __post_init__(self) -> None:
        if self.head.ndim != 2 or self.head_bias.shape != self.head.shape[1:]:
            raise InputError(
                f"the last layer has shapes {self.head.shape} and {self.head_bias.shape}, which do not fit",
                _NETWORK_HINT,
            )
        inputs = self.classes
        for layer, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            if bias.shape != (4 * self.width,):
                raise InputError(
                    f"layer {layer} has a bias of shape {bias.shape}, not {(4 * self.width,)}", _WIDTH_HINT
                )
            if kernel.shape != (inputs + self.width, 4 * self.width):
                wanted = f"{(inputs + self.width, 4 * self.width)}, for {inputs} inputs and {self.width} cells"
                raise InputError(f"layer {layer} has a kernel of shape {kernel.shape}, not {wanted}", _NETWORK_HINT)
            inputs = self.width

    @property
    def width(self) -> int:
        """Cells in each layer."""
        return int(self.head.shape[0])

    @property
    def classes(self) -> int:
        """Number of classes of a step."""
        return int(self.head.shape[1])


@dataclass(frozen=True)
class NoteRnnFile:
    """A Note RNN and its file.

    Args:
        note_rnn: the weights.
        sha256: of the file.
        scope: the prefix of the names, without the slash; may be empty.
        left_out: names of arrays that belong to training or to other scopes.
    """

    note_rnn: NoteRnn
    sha256: str
    scope: str
    left_out: tuple[str, ...]


def read_note_rnn(path: Path, *, scope: str | None = None) -> NoteRnnFile:
    """Read the arrays of a Note RNN from an .npz file, by the names of any TensorFlow before 2.

    Args:
        path: an .npz file with names such as `rnn/multi_rnn_cell/cell_0/lstm_cell/kernel` or
            `RNN/MultiRNNCell/Cell0/LSTMCell/W_0`, with or without a prefix and `:0`.
        scope: the prefix of the network, if there are several.

    Raises:
        InputError: the file cannot be read; arrays are missing, of another kind of model, or do not fit together.
    """
    archive = ArrayArchive(path)
    parts = {name: match for name in archive.names if (match := _CELL.fullmatch(name) or _HEAD.fullmatch(name))}
    scope = _choose_scope(path, {match["scope"] or "" for match in parts.values()}, scope)
    own = {name: match for name, match in parts.items() if (match["scope"] or "") == scope}
    others = [name for name in archive.names if name not in own]
    _refuse_unknown(path, [name for name in others if not (name in parts or _OF_TRAINING.fullmatch(name))], scope)
    *layers, head = _names_by_layer(path, own)
    arrays = archive.read(own)
    try:
        note_rnn = NoteRnn(
            kernels=[arrays[kernel] for kernel, _ in layers],
            biases=[arrays[bias] for _, bias in layers],
            forget_biases=[
                0.0 if _COMPATIBLE in (own[kernel]["cell"], own[bias]["cell"]) else 1.0 for kernel, bias in layers
            ],
            head=arrays[head[0]],
            head_bias=arrays[head[1]],
        )
    except InputError as error:
        raise InputError(f"{path}: {error.text}", error.hint) from error
    return NoteRnnFile(note_rnn, hashlib.sha256(path.read_bytes()).hexdigest(), scope, tuple(sorted(others)))


def note_rnn_bundle(
    file: NoteRnnFile,
    *,
    low: int = 48,
    first: str = "C4",
    hold_class: int | None = None,
    licence: str = "",
    name: str = "",
) -> Bundle:
    """Convert a Note RNN to a bundle that computes the same.

    Args:
        file: the Note RNN.
        low: MIDI pitch of class 2.
        first: the name of the token that is fed before the first step; RL Tuner feeds C4.
        hold_class: which class is the hold, 0 or 1; None means 1 unless samples clearly show 0.
        licence: of the weights, for whoever passes the bundle on.
        name: of the file, for the provenance.

    Raises:
        InputError: the classes are not a grid.
        UsageError: the first token is invalid.
    """
    note_rnn = file.note_rnn
    try:
        encoding = GridEncoding(low=low, high=low + note_rnn.classes - 3)
    except UsageError as error:
        raise InputError(
            f"{note_rnn.classes} classes, off and hold among them: {error.text}",
            "class 2 is the pitch that --low names; there must be an octave or more, below MIDI pitch 128",
        ) from error
    start = _token(encoding, first)
    try:
        options = NetworkOptions(
            layers=len(note_rnn.kernels),
            width=note_rnn.width,
            embedding=note_rnn.classes,
            dropout=0.0,
            bar_position=False,
            look_back=(),
        )
    except UsageError as error:
        raise InputError(f"the network is too large: {error.text}", error.hint) from error
    if hold_class is None:
        hold_class = _likely_hold_class(note_rnn, options, start)
    order = [1 - hold_class, hold_class, *range(2, note_rnn.classes)]
    return Bundle(
        options=options,
        weights=torch_weights(note_rnn, start, order),
        encoding_description=encoding.description(),
        licence=licence,
        provenance={
            "plain_keys": True,
            "imported": {
                "from": "Magenta's Note RNN",
                "file": name,
                "sha256": file.sha256,
                "scope": file.scope,
                "first": encoding.vocabulary[start],
                "hold_class": hold_class,
            },
        },
    )


def torch_weights(note_rnn: NoteRnn, first: int, order: Sequence[int]) -> dict[str, Floats]:
    """The same network in torch's layout, by the names of `weight_shapes`.

    Args:
        note_rnn: the weights.
        first: the token that is fed before the first step.
        order: `(classes,)`: the class of each token.

    Examples:
        >>> zeros = [np.zeros(shape, np.float32) for shape in ((38 + 5, 20), (20,), (5, 38), (38,))]
        >>> weights = torch_weights(NoteRnn([zeros[0]], [zeros[1]], [1.0], *zeros[2:]), 14, range(38))
        >>> {name: weight.shape for name, weight in weights.items()}["core.weight_ih_l0"]
        (20, 38)
    """
    classes, class_of = note_rnn.classes, np.asarray(order)
    weights = {"table.weight": np.eye(classes, dtype=np.float32)[[*range(classes), first]]}
    for layer, (kernel, bias) in enumerate(zip(note_rnn.kernels, note_rnn.biases, strict=True)):
        w_ih, w_hh = np.split(kernel, [len(kernel) - note_rnn.width])
        weights[f"core.weight_ih_l{layer}"] = _reorder_gates(w_ih[class_of] if layer == 0 else w_ih)
        weights[f"core.weight_hh_l{layer}"] = _reorder_gates(w_hh)
        forget = np.repeat(np.array([0.0, note_rnn.forget_biases[layer], 0.0, 0.0], np.float32), note_rnn.width)
        weights[f"core.bias_ih_l{layer}"] = _reorder_gates(bias) + forget
        weights[f"core.bias_hh_l{layer}"] = np.zeros_like(bias)
    weights["head.weight"] = np.ascontiguousarray(note_rnn.head.T[class_of])
    weights["head.bias"] = note_rnn.head_bias[class_of]
    return weights


def _reorder_gates(values: Floats) -> Floats:
    """From `(..., 4 width)` in the order i, j, f, o to `(4 width, ...)` in torch's i, f, g, o."""
    i, j, f, o = np.split(values, 4, axis=-1)
    return np.ascontiguousarray(np.concatenate([i, f, j, o], axis=-1).T)


def _likely_hold_class(note_rnn: NoteRnn, options: NetworkOptions, start: int) -> int:
    """Which class is the hold according to samples of the model."""
    model = NumpyNetwork(options, torch_weights(note_rnn, start, range(note_rnn.classes)))
    rng = generator(0, "import")
    counts = np.zeros(note_rnn.classes)
    log_probs, state = model.start(_SAMPLES)
    for _ in range(_SAMPLE_STEPS):
        cumulated = np.cumsum(np.exp(log_probs.astype(np.float64)), axis=1)
        drawn = (cumulated < rng.random((_SAMPLES, 1)) * cumulated[:, -1:]).sum(axis=1)
        counts += np.bincount(drawn, minlength=note_rnn.classes)
        log_probs, state = model.step(drawn, state)
    zero, one = counts[:2] / counts.sum()
    return 0 if zero >= _HOLD_SHARE and zero >= _HOLD_RATIO * one else 1


def _token(encoding: GridEncoding, name: str) -> int:
    """The token of that name; notes may be spelled in any way."""
    with suppress(UsageError):
        name = Pitch.parse(name).name
    if name in encoding.vocabulary:
        return encoding.vocabulary.index(name)
    raise UsageError(
        f"'{name[:40]}' is not a token of this model",
        f"--first is off, hold, or a note from {encoding.vocabulary[2]} to {encoding.vocabulary[-1]}",
    )


def _choose_scope(path: Path, scopes: set[str], wanted: str | None) -> str:
    if wanted is not None and wanted.strip("/") in scopes:
        return wanted.strip("/")
    names = ", ".join(repr(scope[:80]) for scope in sorted(scopes)[:8])
    if not scopes:
        raise InputError(
            f"{path} holds no array named as TensorFlow names an LSTM's",
            "such as rnn/multi_rnn_cell/cell_0/lstm_cell/kernel or RNN/MultiRNNCell/Cell0/LSTMCell/W_0",
        )
    if wanted is not None:
        raise InputError(f"{path} holds no network in the scope {wanted[:80]!r}", f"its scopes: {names}")
    if len(scopes) > 1:
        raise InputError(f"{path} holds {len(scopes)} networks", f"say with --scope which is meant: {names}")
    return next(iter(scopes))


def _refuse_unknown(path: Path, names: Sequence[str], scope: str) -> None:
    """Refuse arrays in the scope that would take part in the computation."""
    inside = sorted(name for name in names if not scope or name.startswith(f"{scope}/"))
    if inside:
        more = f" and {len(inside) - 5} more" if len(inside) > 5 else ""
        listed = ", ".join(repr(name[:80]) for name in inside[:5])
        raise InputError(f"{path} holds arrays that a Note RNN has not: {listed}{more}", _NETWORK_HINT)


def _names_by_layer(path: Path, parts: Mapping[str, re.Match[str]]) -> list[tuple[str, str]]:
    """The names of weights and biases of each LSTM layer and of the head; each must be there once."""
    head = -1
    named: dict[tuple[int, str], list[str]] = defaultdict(list)
    for name, match in parts.items():
        layer = head if match.re is _HEAD else int(match["layer"] or 0)
        named[layer, "weights" if match["kernel"] else "biases"].append(name)
    count = max(1 + max(layer for layer, _ in named), 1)
    for layer in (*range(count), head):
        for part, suffix in (("weights", "weights"), ("biases", "bias")):
            if len(named[layer, part]) != 1:
                state = "holds twice" if named[layer, part] else "lacks"
                what = "the last layer" if layer == head else f"LSTM layer {layer}"
                usual = "fully_connected" if layer == head else f"rnn/multi_rnn_cell/cell_{layer}/lstm_cell"
                raise InputError(f"{path} {state} the {part} of {what}", f"TensorFlow names them {usual}/{suffix}")
    return [(named[layer, "weights"][0], named[layer, "biases"][0]) for layer in (*range(count), head)]


class ArrayArchive:
    """An untrusted .npz file: names of arrays, and arrays on demand.

    The shape in a header is checked against the limits before memory is allocated, and Python objects are never loaded.

    Raises:
        InputError: the file is missing, too large, or no .npz file.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "weights.npz"
        >>> np.savez(path, **{"rnn/bias": np.zeros(3)})
        >>> archive = ArrayArchive(path)
        >>> archive.names, archive.read(["rnn/bias"])["rnn/bias"].dtype
        (('rnn/bias',), dtype('float32'))
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise InputError(f"{path} {'is not a file' if path.exists() else 'does not exist'}", "name an .npz file")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} has more than {MAX_BYTES >> 20} MB", "no Note RNN is as large; name another file")
        try:
            with zipfile.ZipFile(path) as file:
                members = [member.filename for member in file.infolist()]
        except _DAMAGED as error:
            raise InputError(f"{path} is not an .npz file: {_message(error)}", _ARCHIVE_HINT) from error
        if len(members) > MAX_ARRAYS:
            raise InputError(f"{path} holds {len(members)} arrays", _ARCHIVE_HINT)
        self.names = tuple(member.removesuffix(".npy") for member in members)
        if len(set(self.names)) < len(self.names):
            raise InputError(f"{path} holds two arrays of one name", _ARCHIVE_HINT)

    def read(self, names: Iterable[str]) -> Mapping[str, Floats]:
        """Arrays by name, as float32, every number finite.

        Raises:
            InputError: an array is damaged, too large, not of floating point numbers, or not finite.
        """
        arrays: dict[str, Floats] = {}
        left = MAX_BYTES
        try:
            with zipfile.ZipFile(self.path) as file:
                for name in names:
                    with file.open(f"{name}.npy") as member:
                        arrays[name] = self._read_member(name, member, left)
                    left -= arrays[name].nbytes
        except KeyError as error:
            raise InputError(f"{self.path} holds something that is no array: {name[:80]!r}", _ARCHIVE_HINT) from error
        except _DAMAGED as error:
            raise InputError(f"{self.path} is damaged at {name[:80]!r}: {_message(error)}", _ARCHIVE_HINT) from error
        return arrays

    def _read_member(self, name: str, member: IO[bytes], limit: int) -> Floats:
        version = npy.read_magic(member)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"an array of version {version[0]}")
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings(action="ignore"):  # about headers that Python 2 wrote
            shape, by_columns, dtype = header(member)
        size = math.prod(shape) * dtype.itemsize
        wrong = ""
        if dtype.hasobject:
            wrong = f"holds Python objects at {name[:80]!r}, which are never loaded"
        elif dtype.kind != "f" or dtype.itemsize not in (2, 4, 8):
            wrong = f"holds no floating point numbers at {name[:80]!r} but {dtype}"
        elif min(shape, default=0) < 0 or max(size, math.prod(shape) * 4) > limit:
            wrong = f"asks for too much memory at {name[:80]!r}: shape {shape}"[:160]
        if wrong:
            raise InputError(f"{self.path} {wrong}", _ARCHIVE_HINT)
        content = member.read(size)
        if len(content) < size:
            raise ValueError(f"{len(content)} bytes instead of {size}")
        array = np.frombuffer(content, dtype=dtype).reshape(shape, order="F" if by_columns else "C")
        with np.errstate(over="ignore"):
            single = array.astype(np.float32)
        if not np.isfinite(single).all():
            raise InputError(f"{self.path} holds numbers that are not finite at {name[:80]!r}", _ARCHIVE_HINT)
        return single


def _message(error: BaseException) -> str:
    """The message of a library in one short line."""
    return " ".join(str(error).split())[:120] or type(error).__name__
