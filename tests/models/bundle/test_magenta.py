"""Importing a Note RNN: the same probabilities as TensorFlow's own formulas give, and nothing taken on trust."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.errors import CantilenaError, InputError, UsageError
from cantilena.generation import load
from cantilena.models import Bundle, note_rnn_bundle, read_note_rnn
from cantilena.rl import TuningOptions, tune

Arrays = dict[str, np.ndarray]

NAMINGS = {
    "new": ("rnn/multi_rnn_cell/cell_{}/basic_lstm_cell/kernel", "rnn/multi_rnn_cell/cell_{}/basic_lstm_cell/bias"),
    "lstm_cell": ("rnn/multi_rnn_cell/cell_{}/lstm_cell/kernel", "rnn/multi_rnn_cell/cell_{}/lstm_cell/bias"),
    "between": ("rnn/multi_rnn_cell/cell_{}/lstm_cell/weights", "rnn/multi_rnn_cell/cell_{}/lstm_cell/biases"),
    "old": ("RNN/MultiRNNCell/Cell{}/LSTMCell/W_0", "RNN/MultiRNNCell/Cell{}/LSTMCell/B"),
    "old_basic": (
        "RNN/MultiRNNCell/Cell{}/BasicLSTMCell/Linear/Matrix",
        "RNN/MultiRNNCell/Cell{}/BasicLSTMCell/Linear/Bias",
    ),
}


def note_rnn(
    naming: str = "new", layers: int = 1, *, width: int = 12, classes: int = 38, scope: str = "", suffix: str = ""
) -> Arrays:
    """Random weights, large enough that a wrong gate would show."""
    rng, arrays = np.random.default_rng(layers), {}
    kernel, bias = NAMINGS[naming]
    for layer in range(layers):
        below = classes if layer == 0 else width
        arrays[kernel.format(layer)] = rng.normal(0, 0.7, (below + width, 4 * width)).astype(np.float32)
        arrays[bias.format(layer)] = rng.normal(0, 0.7, 4 * width).astype(np.float32)
    arrays["fully_connected/weights"] = rng.normal(0, 0.7, (width, classes)).astype(np.float32)
    biases = "fully_connected/bias" if naming.startswith("old") else "fully_connected/biases"
    arrays[biases] = rng.normal(0, 0.7, classes).astype(np.float32)
    return {f"{scope}{name}{suffix}": array for name, array in arrays.items()}


def sigma(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def tensorflow_log_probs(arrays: Arrays, inputs: list[int], forget_bias: float = 1.0) -> np.ndarray:
    """Log softmax after each input class: one step and one layer at a time, in float64, as BasicLSTMCell computes."""
    weights = [array.astype(float) for array in arrays.values()]
    *cells, head, head_bias = weights
    width, classes = head.shape
    states = [(np.zeros(width), np.zeros(width)) for _ in range(len(cells) // 2)]
    rows = []
    for token in inputs:
        x = np.eye(classes)[token]
        for layer, (c, h) in enumerate(states):
            kernel, bias = cells[2 * layer : 2 * layer + 2]
            i, j, f, o = np.split(np.concatenate([x, h]) @ kernel + bias, 4)
            c = c * sigma(f + forget_bias) + sigma(i) * np.tanh(j)
            h = np.tanh(c) * sigma(o)
            states[layer], x = (c, h), h
        scores = x @ head + head_bias
        rows.append(scores - scores.max() - np.log(np.exp(scores - scores.max()).sum()))
    return np.array(rows)


def saved(tmp_path: Path, arrays: Arrays, name: str = "note_rnn.npz") -> Path:
    np.savez(tmp_path / name, **arrays)
    return tmp_path / name


MELODY = [14, 1, 18, 0, 21, 1, 1, 37, 2, 30, 9, 14]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize(("scope", "suffix"), [("", ""), ("note_rnn/", ":0"), ("rnn_model/", "")])
def test_it_computes_what_tensorflow_computes(
    tmp_path: Path, naming: str, layers: int, scope: str, suffix: str
) -> None:
    arrays = note_rnn(naming, layers, scope=scope, suffix=suffix)
    path = saved(tmp_path, dict(reversed(arrays.items())))
    bundle = note_rnn_bundle(read_note_rnn(path), hold_class=1)
    expected = tensorflow_log_probs(arrays, [14, *MELODY[:-1]])
    tokens = np.array([MELODY, MELODY])
    np.testing.assert_allclose(bundle.model().log_probs(tokens)[1], expected, atol=1e-5)
    np.testing.assert_allclose(bundle.network().log_probs(tokens).detach().numpy()[0], expected, atol=1e-5)
    log_probs, state = bundle.model().start(1)
    for step, token in enumerate(MELODY):
        np.testing.assert_allclose(log_probs[0], expected[step], atol=1e-5)
        log_probs, state = bundle.model().step(np.array([token]), state)
    bundle.save(tmp_path / "bundle.safetensors")
    np.testing.assert_array_equal(
        Bundle.load(tmp_path / "bundle.safetensors").model().log_probs(tokens), bundle.model().log_probs(tokens)
    )


def test_the_cell_that_is_compatible_with_cudnn_adds_no_forget_bias(tmp_path: Path) -> None:
    arrays = {
        name.replace("rnn/multi", "cudnn_lstm/rnn/multi").replace("basic_lstm", "cudnn_compatible_lstm"): array
        for name, array in note_rnn(layers=2).items()
    }
    bundle = note_rnn_bundle(read_note_rnn(saved(tmp_path, arrays)), hold_class=1)
    expected = tensorflow_log_probs(arrays, [14, *MELODY[:-1]], forget_bias=0.0)
    np.testing.assert_allclose(bundle.model().log_probs(np.array([MELODY]))[0], expected, atol=1e-5)


@pytest.mark.parametrize(("first", "token"), [("off", 0), ("hold", 1), ("Bb3", 12), ("C4", 14), ("B5", 37)])
def test_the_first_input_can_be_chosen(tmp_path: Path, first: str, token: int) -> None:
    arrays = note_rnn()
    read = read_note_rnn(saved(tmp_path, arrays))
    start = note_rnn_bundle(read, first=first, hold_class=1).model().start(1)[0][0]
    np.testing.assert_allclose(start, tensorflow_log_probs(arrays, [token])[0], atol=1e-5)
    for odd in ("C9", "la", "", "C" * 9000):
        with pytest.raises(UsageError):
            note_rnn_bundle(read, first=odd)


def test_a_model_whose_class_0_holds_is_put_in_our_order(tmp_path: Path) -> None:
    arrays = note_rnn()
    theirs = [{0: 1, 1: 0}.get(token, token) for token in MELODY]
    bundle = note_rnn_bundle(read_note_rnn(saved(tmp_path, arrays)), hold_class=0)
    expected = tensorflow_log_probs(arrays, [14, *theirs[:-1]])
    found = bundle.model().log_probs(np.array([MELODY]))[0]
    np.testing.assert_allclose(found[:, [1, 0, *range(2, 38)]], expected, atol=1e-5)


@pytest.mark.parametrize(("favoured", "hold"), [(0, 0), (1, 1), (20, 1)])
def test_the_class_that_holds_shows_in_what_the_model_does(tmp_path: Path, favoured: int, hold: int) -> None:
    arrays = note_rnn()
    arrays["fully_connected/biases"][favoured] += 8.0
    read = read_note_rnn(saved(tmp_path, arrays))
    assert note_rnn_bundle(read).provenance["imported"]["hold_class"] == hold
    assert note_rnn_bundle(read, hold_class=1 - hold).provenance["imported"]["hold_class"] == 1 - hold


@pytest.mark.parametrize(("classes", "low", "high"), [(38, 48, "B5"), (62, 36, "B6"), (130, 0, "G9"), (14, 60, "B4")])
def test_other_ranges(tmp_path: Path, classes: int, low: int, high: str) -> None:
    path = saved(tmp_path, note_rnn(classes=classes))
    bundle = note_rnn_bundle(read_note_rnn(path), low=low, hold_class=1)
    assert (bundle.encoding.vocabulary[-1], bundle.model().vocabulary_size) == (high, classes)


def test_training_leaves_things_behind_that_are_left_out(tmp_path: Path) -> None:
    arrays = note_rnn(scope="rnn_model/")
    kernel = "rnn_model/rnn/multi_rnn_cell/cell_0/basic_lstm_cell/kernel"
    spare = {
        f"{kernel}/Adam": np.zeros(3),
        f"{kernel}/Adam_1:0": np.zeros(3),
        "global_step": np.array(7),
        "beta1_power": np.array(0.9),
        "rnn_model/fully_connected/weights/ExponentialMovingAverage": np.zeros(3),
    }
    read = read_note_rnn(saved(tmp_path, arrays | spare))
    assert set(read.left_out) == set(spare)
    assert read.scope == "rnn_model"


def test_of_several_networks_one_is_chosen(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tuned = {name: array + rng.normal(size=array.shape) for name, array in note_rnn().items()}
    arrays = note_rnn(scope="reward_rnn/") | {f"q_network/{name}": array for name, array in tuned.items()}
    path = saved(tmp_path, arrays)
    with pytest.raises(InputError, match="2 networks"):
        read_note_rnn(path)
    with pytest.raises(InputError, match="'target'"):
        read_note_rnn(path, scope="target")
    bundle = note_rnn_bundle(read_note_rnn(path, scope="q_network/"), hold_class=1)
    expected = tensorflow_log_probs(tuned, [14, *MELODY[:-1]])
    np.testing.assert_allclose(bundle.model().log_probs(np.array([MELODY]))[0], expected, atol=1e-5)


def without(name: str) -> Arrays:
    arrays = note_rnn(layers=2)
    return {key: array for key, array in arrays.items() if name not in key}


def changed(name: str, array: Any) -> Arrays:
    arrays = note_rnn(layers=2)
    assert sum(name in key for key in arrays) == 1
    return {key: array if name in key else old for key, old in arrays.items()}


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({}, "no array named"),
        ({"a": np.zeros(3)}, "no array named"),
        (without("cell_0/basic_lstm_cell/kernel"), "lacks the weights of LSTM layer 0"),
        (without("cell_1/basic_lstm_cell/bias"), "lacks the biases of LSTM layer 1"),
        (without("cell_0"), "lacks the weights of LSTM layer 0"),
        (without("rnn"), "lacks the weights of LSTM layer 0"),
        (without("fully_connected/weights"), "lacks the weights of the last layer"),
        (without("fully_connected"), "lacks the weights of the last layer"),
        (note_rnn() | {"fully_connected/bias": np.zeros(38)}, "holds twice the biases of the last layer"),
        (note_rnn() | {"attention/w": np.zeros(3)}, "arrays that a Note RNN has not: 'attention/w'"),
        (note_rnn() | {f"x{n}": np.zeros(1) for n in range(9)}, "'x3', 'x4' and 4 more"),
        (changed("cell_0/basic_lstm_cell/kernel", np.zeros((74 + 12, 48))), "shape (86, 48)"),
        (changed("cell_1/basic_lstm_cell/kernel", np.zeros((12, 48))), "layer 1"),
        (changed("cell_1/basic_lstm_cell/bias", np.zeros(40)), "bias of shape (40,)"),
        (changed("fully_connected/biases", np.zeros(37)), "last layer"),
        (changed("fully_connected/weights", np.zeros(12)), "last layer"),
        (changed("fully_connected/weights", np.zeros((13, 38))), "layer 0"),
        (changed("fully_connected/weights", np.zeros((0, 38))), "layer 0"),
        (changed("fully_connected/biases", np.full(38, np.nan)), "not finite at 'fully_connected/biases'"),
        (changed("fully_connected/biases", np.full(38, 1e300)), "not finite"),
        (changed("fully_connected/biases", np.arange(38)), "no floating point numbers"),
        (changed("fully_connected/biases", np.zeros(38, dtype="c16")), "no floating point numbers"),
        (changed("fully_connected/biases", np.array(["a"] * 38)), "no floating point numbers"),
        (changed("fully_connected/biases", np.array([{}] * 38)), "Python objects"),
        (note_rnn(classes=9), "9 classes"),
        (note_rnn(classes=300), "300 classes"),
    ],
)
def test_arrays_that_make_no_note_rnn(tmp_path: Path, arrays: Arrays, says: str) -> None:
    path = saved(tmp_path, arrays)
    with pytest.raises(InputError) as refused:
        note_rnn_bundle(read_note_rnn(path))
    assert says in refused.value.text
    assert refused.value.hint
    assert "\n" not in refused.value.text + refused.value.hint


def archive(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def npy(shape: str, content: bytes = b"", kind: str = "<f4") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def bombs() -> dict[str, bytes]:
    members = {}
    for name, array in note_rnn().items():
        buffer = io.BytesIO()
        np.save(buffer, array)
        members[name] = buffer.getvalue()
    return members


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (npy("(1000000, 1000000)"), "too much memory"),
        (npy("(99999999999999999999999,)"), "too much memory"),
        (npy("(-38,)", bytes(152)), "too much memory"),
        (npy("(150000000,)", bytes(1000)), "too much memory"),
        (npy("(100000000,)", bytes(1000)), "damaged"),
        (npy("(38,)", bytes(100)), "damaged"),
        (npy("(38,)", bytes(152), "|O"), "Python objects"),
        (npy("(38,)", bytes(152), "nonsense"), "damaged"),
        (npy("(38.5,)", bytes(152)), "damaged"),
        (npy("(" + "(" * 5000), "damaged"),
        (b"\x93NUMPY\x09\x00" + bytes(200), "damaged"),
        (b"", "damaged"),
        (b"cos\nsystem\n(S'true'\ntR.", "damaged"),
    ],
)
def test_an_array_that_lies(tmp_path: Path, content: bytes, says: str) -> None:
    path = archive(tmp_path / "a.npz", bombs() | {"fully_connected/biases": content}, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError) as refused:
        read_note_rnn(path)
    assert says in refused.value.text
    assert "\n" not in refused.value.text
    assert len(refused.value.text) < 400 + len(str(path))


def test_headers_that_python_2_wrote(tmp_path: Path) -> None:
    arrays = note_rnn()
    old = bombs() | {"fully_connected/biases": npy("(38L,)", arrays["fully_connected/biases"].tobytes())}
    read = read_note_rnn(archive(tmp_path / "old.npz", old))
    np.testing.assert_array_equal(read.note_rnn.head_bias, arrays["fully_connected/biases"])


def test_a_small_file_that_unpacks_to_much_is_not_unpacked(tmp_path: Path) -> None:
    content = npy("(400000000,)", bytes(64 * 2**20))
    path = archive(tmp_path / "bomb.npz", bombs() | {"fully_connected/weights": content}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    with pytest.raises(InputError, match="too much memory"):
        read_note_rnn(path)


def test_files_that_are_none(tmp_path: Path) -> None:
    whole = saved(tmp_path, note_rnn()).read_bytes()
    for name, content in {
        "empty.npz": b"",
        "text.npz": b"la la la",
        "pickle.npz": b"\x80\x04\x95\x00",
        "cut.npz": whole[: len(whole) // 2],
        "one.npy": npy("(2,)", bytes(8)),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError):
            read_note_rnn(tmp_path / name)
    for place in range(0, len(whole), 997):  # a byte changed anywhere never crashes
        (tmp_path / "odd.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with suppress(CantilenaError):
            note_rnn_bundle(read_note_rnn(tmp_path / "odd.npz"), hold_class=1)
    (tmp_path / "folder.npz").mkdir()
    for missing in ("folder.npz", "missing.npz"):
        with pytest.raises(InputError):
            read_note_rnn(tmp_path / missing)
    many = archive(tmp_path / "many.npz", {f"a{number}": b"" for number in range(10_001)})
    with pytest.raises(InputError, match="10001 arrays"):
        read_note_rnn(many)


def test_what_is_imported_is_tuned_and_composes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = saved(tmp_path, note_rnn("old", 2, scope="rnn_model/", classes=26))
    out = tmp_path / "models" / "note_rnn.safetensors"
    words = ["import", str(source), "--out", str(out), "--low", "C4", "--licence", "Apache 2.0", "--json"]
    assert main(words) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (answer["bundle"], answer["layers"], answer["width"], answer["vocabulary"]) == (str(out), 2, 12, 26)
    assert (answer["low"], answer["high"], answer["scope"], answer["first"]) == ("C4", "B5", "rnn_model", "C4")
    assert main(words) == 1
    assert "exists already" in json.loads(capsys.readouterr().out)["error"]
    assert main([*words, "--force"]) == 0
    bundle = Bundle.load(out)
    assert bundle.licence == "Apache 2.0"
    imported = bundle.provenance["imported"]
    assert (imported["file"], imported["sha256"]) == ("note_rnn.npz", answer["sha256"])
    tuned = tune(bundle, TuningOptions(updates=2, melodies=8, steps=16, device="cpu")).bundle
    tuned.save(tmp_path / "tuned.safetensors")
    tune_made = load(tmp_path / "tuned.safetensors").compose(bars=4, key="D major", constrain="rl-tuner:key")
    assert len(tune_made.tokens) == 64
    assert all(note.top % 12 in (1, 2, 4, 6, 7, 9, 11) for note in tune_made.sounding)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (2, ["--low", "H3"]),
        (2, ["--low", "48.5"]),
        (1, ["--low", "200"]),
        (2, ["--first", "la"]),
        (2, ["--hold-class", "2"]),
        (1, ["--scope", "q"]),
    ],
)
def test_silly_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, words: list[str]) -> None:
    out = tmp_path / "out.safetensors"
    assert main(["import", str(saved(tmp_path, note_rnn())), "--out", str(out), *words, "--json"]) == status
    assert json.loads(capsys.readouterr().out)["hint"]
    assert not out.exists()
    assert main(["import", str(tmp_path / "note_rnn.npz"), "--out", str(tmp_path), "--json"]) == 2
