"""Magenta's Note RNN as a network of ours: its arrays by TensorFlow's names in, a bundle out.

TensorFlow's LSTM has one kernel for input and hidden state together, adds its forget bias when it runs, and orders its
gates i, j, f, o, with j the candidate (Magenta's `BasicLSTMCell` and `LSTMCell`, and the cuDNN compatible cell, which
adds none):

    [a_i a_j a_f a_o] = [x h] K + b
    c' = sigma(a_f + 1) . c + sigma(a_i) . tanh(a_j);   h' = sigma(a_o) . tanh(c');   scores = h' W + w

torch has a matrix each for x and h, orders the gates i, f, g, o, and g is j. The input x is one-hot: so our table holds
the unit vectors, and the start symbol, which we put before the first step, the unit vector of the note that RL Tuner
feeds there.

A Note RNN of Magenta's as a bundle of ours: which pitches its classes are, and which of the first two is the hold.

Magenta's melody encoder writes 0 for "no event" and 1 for "note off"; RL Tuner's rules, and our grid, read 0 as off and
1 as hold. A Note RNN that was trained on Magenta's melodies and is read the other way plays short notes between long
rests. Which it is shows in what the model does: on a grid of sixteenths, holds come far more often than offs.

Arrays in an .npz file, read as if an enemy had written it.

A header's shape is believed only after it was held against the limits, no more bytes are read than it asks for, and
Python objects are never loaded.
"""

from __future__ import annotations

import hashlib
import math
import re
import tokenize
import warnings
import zipfile
import zlib
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

LARGEST = 512 * 2**20
"""Bytes that all arrays together may hold, and that the file may have."""

MOST = 10_000
"""Arrays in a file."""

_ARCHIVE_HINT = "write it again with numpy.savez, one array of floating point numbers for each variable"
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, TypeError, SyntaxError, tokenize.TokenError,
    NotImplementedError, RuntimeError, MemoryError,
)  # fmt: skip
"""What zipfile and numpy raise at bytes that are not theirs; a KeyError is told apart."""


class ArrayArchive:
    """An .npz file: its arrays' names at once, the arrays when they are asked for.

    Args:
        path: the file.

    Raises:
        InputError: it is missing, too large, or no such file.

    Example:
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
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} has more than {LARGEST >> 20} MB", "no Note RNN is as large; name another file")
        try:
            with zipfile.ZipFile(path) as file:
                members = [member.filename for member in file.infolist()]
        except _DAMAGED as error:
            raise InputError(f"{path} is not an .npz file: {_said(error)}", _ARCHIVE_HINT) from error
        if len(members) > MOST:
            raise InputError(f"{path} holds {len(members)} arrays", _ARCHIVE_HINT)
        self.names = tuple(member.removesuffix(".npy") for member in members)
        if len(set(self.names)) < len(self.names):
            raise InputError(f"{path} holds two arrays of one name", _ARCHIVE_HINT)

    def read(self, names: Iterable[str]) -> Mapping[str, NDArray[np.float32]]:
        """The arrays of those names, every number finite.

        Raises:
            InputError: one is damaged, too large, not of floating point numbers, or not all finite.
        """
        arrays: dict[str, NDArray[np.float32]] = {}
        left = LARGEST
        try:
            with zipfile.ZipFile(self.path) as file:
                for name in names:
                    with file.open(f"{name}.npy") as member:
                        arrays[name] = self._array(name, member, left)
                    left -= arrays[name].nbytes
        except KeyError as error:
            raise InputError(f"{self.path} holds something that is no array: {_short(name)}", _ARCHIVE_HINT) from error
        except _DAMAGED as error:
            raise InputError(f"{self.path} is damaged at {_short(name)}: {_said(error)}", _ARCHIVE_HINT) from error
        return arrays

    def _array(self, name: str, member: IO[bytes], limit: int) -> NDArray[np.float32]:
        version = npy.read_magic(member)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"an array of version {version[0]}")
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings(action="ignore"):  # of headers that Python 2 wrote
            shape, by_columns, kind = header(member)
        if kind.hasobject:
            raise InputError(
                f"{self.path} holds Python objects at {_short(name)}, which are never loaded", _ARCHIVE_HINT
            )
        if kind.kind != "f" or kind.itemsize not in (2, 4, 8):
            raise InputError(f"{self.path} holds no floating point numbers at {_short(name)} but {kind}", _ARCHIVE_HINT)
        size = math.prod(shape) * kind.itemsize
        if min(shape, default=0) < 0 or max(size, math.prod(shape) * 4) > limit:
            raise InputError(
                f"{self.path} asks for too much memory at {_short(name)}: shape {shape}"[:200], _ARCHIVE_HINT
            )
        content = member.read(size)
        if len(content) < size:
            raise ValueError(f"{len(content)} bytes instead of {size}")
        array = np.frombuffer(content, dtype=kind).reshape(shape, order="F" if by_columns else "C")
        with np.errstate(over="ignore"):
            single = array.astype(np.float32)
        if not np.isfinite(single).all():
            raise InputError(f"{self.path} holds numbers that are not finite at {_short(name)}", _ARCHIVE_HINT)
        return single


def _said(error: BaseException) -> str:
    """What a library said, in a line that fits one."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def _short(name: str) -> str:
    return repr(name[:80])


Floats = NDArray[np.float32]

_SCOPE = r"(?:(?P<scope>.+?)/)??"
_CELL = re.compile(
    rf"{_SCOPE}(?:cudnn_lstm/)?(?:rnn|RNN)/(?:(?:multi_rnn_cell/cell_|MultiRNNCell/Cell)(?P<layer>\d{{1,3}})/)?"
    r"(?P<cell>basic_lstm_cell|lstm_cell|cudnn_compatible_lstm_cell|BasicLSTMCell|LSTMCell)/"
    r"(?:(?P<kernel>kernel|weights|W_0|Linear/Matrix)|bias|biases|B|Linear/Bias)(?::\d+)?"
)
_HEAD = re.compile(rf"{_SCOPE}fully_connected/(?:(?P<kernel>weights|kernel)|bias|biases)(?::\d+)?")
_OF_TRAINING = re.compile(
    r"(?:.+/)?(?:global_step|beta[12]_power|Adam(?:_\d+)?|Momentum|Adagrad|RMSProp(?:_\d+)?|ExponentialMovingAverage)(?::\d+)?"
)

_HINT = "importable are RL Tuner's Note RNN and Magenta's basic_rnn, which read one class a step and nothing else"


@dataclass(frozen=True)
class NoteRnn:
    """The weights of a Note RNN, as TensorFlow lays them out.

    Args:
        kernels: of each layer `(input + width, 4 width)`, gates i, j, f, o.
        biases: of each layer `(4 width,)`.
        forget_biases: of each layer, what its cell adds to the forget gate.
        head: `(width, classes)`.
        head_bias: `(classes,)`.

    Raises:
        InputError: shapes that do not fit together.
    """

    kernels: Sequence[Floats]
    biases: Sequence[Floats]
    forget_biases: Sequence[float]
    head: Floats
    head_bias: Floats

    def __post_init__(self) -> None:
        if self.head.ndim != 2 or self.head_bias.shape != self.head.shape[1:]:
            raise InputError(f"a last layer of shapes {self.head.shape} and {self.head_bias.shape}", _HINT)
        below = self.classes
        for layer, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            if bias.shape != (4 * self.width,):
                raise InputError(f"layer {layer} has a bias of shape {bias.shape}, not {(4 * self.width,)}", _WIDTHS)
            if kernel.shape != (below + self.width, 4 * self.width):
                wanted = f"{(below + self.width, 4 * self.width)}, for {below} inputs and {self.width} cells"
                raise InputError(f"layer {layer} has a kernel of shape {kernel.shape}, not {wanted}", _HINT)
            below = self.width

    @property
    def layers(self) -> int:
        """LSTM layers, one upon the other."""
        return len(self.kernels)

    @property
    def width(self) -> int:
        """Cells in each layer."""
        return int(self.head.shape[0])

    @property
    def classes(self) -> int:
        """How many classes a step has."""
        return int(self.head.shape[1])


_WIDTHS = "every layer must have as many cells as the last layer reads"


@dataclass(frozen=True)
class NoteRnnFile:
    """A Note RNN and the file that it was read from.

    Args:
        note_rnn: the weights.
        sha256: of the file.
        scope: the prefix of the names, without the slash; empty if there is none.
        left_out: names of arrays that only training needs, or that lie in other scopes.
    """

    note_rnn: NoteRnn
    sha256: str
    scope: str
    left_out: tuple[str, ...]


def read_note_rnn(path: Path, *, scope: str | None = None) -> NoteRnnFile:
    """Read the arrays of a Note RNN from an .npz file, by the names of any TensorFlow before 2.

    Args:
        path: the file: `rnn/multi_rnn_cell/cell_0/lstm_cell/kernel`, `RNN/MultiRNNCell/Cell0/LSTMCell/W_0` and their
            like, with or without a prefix and `:0`.
        scope: the prefix of the network that is meant, where there are several.

    Raises:
        InputError: the file cannot be read; arrays are missing, of another kind of model, or do not fit together.
    """
    archive = ArrayArchive(path)
    parts = {name: found for name in archive.names if (found := _CELL.fullmatch(name) or _HEAD.fullmatch(name))}
    scope = _chosen_scope(path, {found["scope"] or "" for found in parts.values()}, scope)
    own = {name: found for name, found in parts.items() if (found["scope"] or "") == scope}
    others = [name for name in archive.names if name not in own]
    _refuse_unknown(path, [name for name in others if not (name in parts or _OF_TRAINING.fullmatch(name))], scope)
    arrays = archive.read(_in_order(path, own))
    cells = [(name, found) for name, found in own.items() if found.re is _CELL]
    kernels, biases = (sorted((_layer(f), n) for n, f in cells if bool(f["kernel"]) is kind) for kind in (True, False))
    without = {_layer(found) for _, found in cells if found["cell"] == "cudnn_compatible_lstm_cell"}
    head, head_bias = sorted((n for n, f in own.items() if f.re is _HEAD), key=lambda name: own[name]["kernel"] is None)
    try:
        note_rnn = NoteRnn(
            kernels=[arrays[name] for _, name in kernels],
            biases=[arrays[name] for _, name in biases],
            forget_biases=[0.0 if layer in without else 1.0 for layer, _ in kernels],
            head=arrays[head],
            head_bias=arrays[head_bias],
        )
    except InputError as error:
        raise InputError(f"{path}: {error.text}", error.hint) from error
    return NoteRnnFile(note_rnn, hashlib.sha256(path.read_bytes()).hexdigest(), scope, tuple(sorted(others)))


def torch_weights(note_rnn: NoteRnn, first: int, order: Sequence[int]) -> dict[str, Floats]:
    """The same network by the names of ours.

    Args:
        note_rnn: the weights.
        first: our token that is fed before the first step.
        order: `(classes,)`: the class that each of our tokens is.

    Example:
        >>> zeros = [np.zeros(shape, np.float32) for shape in ((38 + 5, 20), (20,), (5, 38), (38,))]
        >>> weights = torch_weights(NoteRnn([zeros[0]], [zeros[1]], [1.0], *zeros[2:]), 14, range(38))
        >>> {name: weight.shape for name, weight in weights.items()}["core.weight_ih_l0"]
        (20, 38)
    """
    classes, places = note_rnn.classes, np.asarray(order)
    weights = {"table.weight": np.eye(classes, dtype=np.float32)[[*range(classes), first]]}
    for layer, (kernel, bias) in enumerate(zip(note_rnn.kernels, note_rnn.biases, strict=True)):
        from_below, from_before = np.split(kernel, [len(kernel) - note_rnn.width])
        weights[f"core.weight_ih_l{layer}"] = _gates(from_below[places] if layer == 0 else from_below)
        weights[f"core.weight_hh_l{layer}"] = _gates(from_before)
        forget = np.repeat(np.array([0.0, note_rnn.forget_biases[layer], 0.0, 0.0], np.float32), note_rnn.width)
        weights[f"core.bias_ih_l{layer}"] = _gates(bias) + forget
        weights[f"core.bias_hh_l{layer}"] = np.zeros_like(bias)
    weights["head.weight"] = np.ascontiguousarray(note_rnn.head.T[places])
    weights["head.bias"] = note_rnn.head_bias[places]
    return weights


def _gates(values: Floats) -> Floats:
    """From `(..., 4 width)` in the order i, j, f, o to `(4 width, ...)` in torch's i, f, g, o."""
    i, j, f, o = np.split(values, 4, axis=-1)
    return np.ascontiguousarray(np.concatenate([i, f, j, o], axis=-1).T)


def _layer(found: re.Match[str]) -> int:
    return int(found["layer"] or 0)


def _chosen_scope(path: Path, scopes: set[str], asked: str | None) -> str:
    if asked is not None and asked.strip("/") in scopes:
        return asked.strip("/")
    named = ", ".join(repr(scope[:80]) for scope in sorted(scopes)[:8])
    if not scopes:
        raise InputError(
            f"{path} holds no array named as TensorFlow names an LSTM's",
            "such as rnn/multi_rnn_cell/cell_0/lstm_cell/kernel or RNN/MultiRNNCell/Cell0/LSTMCell/W_0",
        )
    if asked is not None:
        raise InputError(f"{path} holds no network in the scope {asked[:80]!r}", f"its scopes: {named}")
    if len(scopes) > 1:
        raise InputError(f"{path} holds {len(scopes)} networks", f"say with --scope which is meant: {named}")
    return next(iter(scopes))


def _refuse_unknown(path: Path, names: Sequence[str], scope: str) -> None:
    """Arrays that take part in what the network computes cannot be left out; those of other scopes do not."""
    inside = sorted(name for name in names if not scope or name.startswith(f"{scope}/"))
    if inside:
        more = f" and {len(inside) - 5} more" if len(inside) > 5 else ""
        listed = ", ".join(repr(name[:80]) for name in inside[:5])
        raise InputError(f"{path} holds arrays that a Note RNN has not: {listed}{more}", _HINT)


def _in_order(path: Path, own: Mapping[str, re.Match[str]]) -> list[str]:
    """The names, if every layer from 0 on and the head have a kernel and a bias each."""
    owned = [
        (found.re is _HEAD, _layer(found) if found.re is _CELL else 0, not found["kernel"]) for found in own.values()
    ]
    layers = 1 + max((layer for head, layer, _ in owned if not head), default=-1)
    wanted = [(False, layer, bias) for layer in range(max(layers, 1)) for bias in (False, True)]
    for part in [*wanted, (True, 0, False), (True, 0, True)]:
        head, layer, bias = part
        what = f"the {'biases' if bias else 'weights'} of {'the last layer' if head else f'LSTM layer {layer}'}"
        if owned.count(part) != 1:
            name = "fully_connected" if head else f"rnn/multi_rnn_cell/cell_{layer}/lstm_cell"
            state = "lacks" if part not in owned else "holds twice"
            raise InputError(f"{path} {state} {what}", f"TensorFlow names them {name}/{'bias' if bias else 'weights'}")
    return list(own)


_MELODIES, _STEPS = 64, 64
_OFTEN, _TIMES = 0.2, 4.0
"""Class 0 is the hold if it comes in so many of the steps, and so many times as often as class 1."""


def note_rnn_bundle(
    file: NoteRnnFile,
    *,
    low: int = 48,
    first: str = "C4",
    hold_class: int | None = None,
    licence: str = "",
    name: str = "",
) -> Bundle:
    """The bundle that computes what a Note RNN computes.

    Args:
        file: the Note RNN.
        low: MIDI pitch of class 2.
        first: the token, by name, that the network is fed before the first step; RL Tuner feeds C4.
        hold_class: which class is the hold, 0 or 1; where None, 1 unless the model plainly says 0.
        licence: of the weights, for whoever passes the bundle on.
        name: of the file, for the record.

    Raises:
        InputError: classes that make no grid.
        UsageError: a first token that is none.
    """
    note_rnn = file.note_rnn
    encoding = _encoding(note_rnn.classes, low)
    start = _token(encoding, first)
    options = _options(note_rnn)
    if hold_class is None:
        hold_class = likely_hold_class(note_rnn, options, start)
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


def likely_hold_class(note_rnn: NoteRnn, options: NetworkOptions, start: int) -> int:
    """Which class is the hold, as far as the model's own melodies tell; 1 where they do not.

    Args:
        note_rnn: the weights.
        options: the network's shape.
        start: the class that is fed before the first step.
    """
    model = NumpyNetwork(options, torch_weights(note_rnn, start, range(note_rnn.classes)))
    rng = generator(0, "import")
    counts = np.zeros(note_rnn.classes)
    log_probs, state = model.start(_MELODIES)
    for _ in range(_STEPS):
        cumulated = np.cumsum(np.exp(log_probs.astype(np.float64)), axis=1)
        drawn = (cumulated < rng.random((_MELODIES, 1)) * cumulated[:, -1:]).sum(axis=1)
        counts += np.bincount(drawn, minlength=note_rnn.classes)
        log_probs, state = model.step(drawn, state)
    zero, one = counts[:2] / counts.sum()
    return 0 if zero >= _OFTEN and zero >= _TIMES * one else 1


def _encoding(classes: int, low: int) -> GridEncoding:
    try:
        return GridEncoding(low=low, high=low + classes - 3)
    except UsageError as error:
        raise InputError(
            f"{classes} classes, off and hold among them, make {error.text}",
            "class 2 is the pitch that --low names; there must be an octave or more, below MIDI pitch 128",
        ) from error


def _token(encoding: GridEncoding, name: str) -> int:
    """The token of that name, a note spelled in any way."""
    with suppress(UsageError):
        name = Pitch.parse(name).name
    if name in encoding.vocabulary:
        return encoding.vocabulary.index(name)
    raise UsageError(
        f"'{name[:40]}' is not a token of this model",
        f"--first is off, hold, or a note from {encoding.vocabulary[2]} to {encoding.vocabulary[-1]}",
    )


def _options(note_rnn: NoteRnn) -> NetworkOptions:
    try:
        return NetworkOptions(
            layers=note_rnn.layers,
            width=note_rnn.width,
            embedding=note_rnn.classes,
            dropout=0.0,
            bar_position=False,
            look_back=(),
        )
    except UsageError as error:
        raise InputError(f"a network that is too large: {error.text}", error.hint) from error
