"""Weights as bytes: a row is off by half its scale at most, and no file passes bytes without their scales."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from cantilena.errors import BundleError, UsageError
from cantilena.models import Bundle, NGram, NGramOptions, find_bundle, likelihood, ngram_arrays
from cantilena.models.bundle.quantization import dequantize, quantize
from cantilena.models.protocol import Sequences
from cantilena.music import Melody
from cantilena.tokenizers import GridEncoding

RNG = np.random.default_rng(4)


def test_each_weight_is_off_by_half_its_rows_scale_at_most() -> None:
    weight = (RNG.normal(size=(80, 64)) * np.exp(RNG.normal(size=(80, 1)))).astype(np.float32)
    weight[3] = 0.0
    stored = quantize({"weights.a": weight, "weights.b": weight[0], "weights.c": weight[:2]})
    assert {name: array.dtype.name for name, array in stored.items()} == {
        "weights.a": "int8", "scale.weights.a": "float32", "weights.b": "float16", "weights.c": "float16",
    }  # fmt: skip
    back = dequantize(stored)["weights.a"]
    scale = np.abs(weight).max(axis=1) / 127
    assert (np.abs(back - weight) <= scale[:, None] * 0.5001 + 1e-30).all()
    assert (back[3] == 0).all()


@pytest.mark.parametrize(("name", "least"), [("tunes+rl-tuner", 5), ("tunes", 11), ("tunes+rl", 11)])
def test_a_bundle_of_bytes_is_half_as_long_and_predicts_the_same(tmp_path: Path, name: str, least: int) -> None:
    bundle = Bundle.load(find_bundle(name))
    path, half = tmp_path / "bytes.safetensors", tmp_path / "half.safetensors"
    bundle.save(path, int8=True)
    bundle.save(half, half=True)
    assert path.stat().st_size < 0.6 * half.stat().st_size
    for file_path, expected in ((path, max(least, 8)), (half, least)):
        with safetensors.safe_open(file_path, framework="numpy") as file:
            assert json.loads(file.metadata()["cantilena"])["format"] == expected
    loaded = Bundle.load(path)
    assert loaded.options == bundle.options
    scale = Melody.from_pitches([(pitch, 12) for pitch in (60, 62, 64, 65, 67, 69, 71, 72)] * 8)
    pieces = Sequences.from_tokens([bundle.encoding.encode(scale)])
    before, after = (likelihood(one.model(), pieces).nats_per_step for one in (bundle, loaded))
    assert after == pytest.approx(before, abs=0.01)


def test_the_bundles_that_ship_leave_room() -> None:
    folder = find_bundle("tunes").parent
    assert sum(path.stat().st_size for path in folder.glob("*.safetensors")) < 24_000_000


def test_what_is_no_network_is_not_stored_so(tmp_path: Path) -> None:
    ngram = NGram.fit([np.array([0, 1, 2])], 38, NGramOptions(order=2))
    counted = Bundle(ngram.options, ngram_arrays(ngram), GridEncoding().description())
    with pytest.raises(UsageError, match="only a network"):
        counted.save(tmp_path / "a.safetensors", int8=True)


LIES = {
    "no scale": (lambda record, arrays: arrays.pop("scale.weights.head.weight"), "only the 8-bit integers"),
    "no bytes": (lambda record, arrays: arrays.update({"scale.weights.x": np.ones(3, np.float32)}), "only the scales"),
    "short": (
        lambda record, arrays: arrays.update({"scale.weights.head.weight": np.ones(2, np.float32)}),
        "for each row",
    ),
    "square": (
        lambda record, arrays: arrays.update({"scale.weights.head.weight": np.ones((38, 1), np.float32)}),
        "for each row",
    ),
    "infinite": (lambda record, arrays: arrays["scale.weights.head.weight"].fill(np.inf), "not all finite"),
    "earlier": (lambda record, arrays: record.update(format=6), "type I8"),
    "signless": (
        lambda record, arrays: arrays.update({"weights.head.weight": np.ones((38, 128), np.uint8)}),
        "type U8",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_files_that_lie_are_refused(tmp_path: Path, lie: str) -> None:
    path = tmp_path / "a.safetensors"
    Bundle.load(find_bundle("tunes")).save(path, int8=True)
    arrays = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, framework="numpy") as file:
        record = json.loads(file.metadata()["cantilena"])
    change, wrong = LIES[lie]
    change(record, arrays)
    safetensors.numpy.save_file(arrays, path, metadata={"cantilena": json.dumps(record)})
    with pytest.raises(BundleError, match=wrong):
        Bundle.load(path)
