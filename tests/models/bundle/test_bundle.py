"""The bundle: round trips, one file, no torch, and hostile files refused in one line."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from cantilena.errors import BundleError, RunError, UsageError
from cantilena.models import (
    Bars,
    Bundle,
    Network,
    NetworkOptions,
    NumpyNetwork,
    PolicyModel,
    choose_precision,
    find_bundle,
)
from cantilena.tokenizers import GridEncoding, NotesEncoding

OPTIONS = NetworkOptions(width=8, embedding=8, look_back=(1, 3))
TOKENS = np.random.default_rng(0).integers(0, 38, (2, 20))


def some_bundle(**changes):
    first, second = (Network(OPTIONS, 38, seed=seed).numpy_weights() for seed in (1, 2))
    fields = {
        "weights": first,
        "prior_weights": second,
        "policy": "softmax-q",
        "licence": "public domain",
        "provenance": {"corpus": {"name": "tünes"}, "training": {"epochs": 3}},
    }
    return Bundle(options=OPTIONS, encoding_description=GridEncoding().description(), **{**fields, **changes})


def rewritten(path, edit=None, *, tensors=None, entry="cantilena", text=None):
    """The bundle at `path` with its description or tensors changed."""
    held = safetensors.numpy.load_file(path) if tensors is None else tensors
    with safetensors.safe_open(path, framework="numpy") as file:
        record = json.loads(file.metadata()["cantilena"])
    if edit is not None:
        edit(record)
    safetensors.numpy.save_file(held, path, metadata={entry: json.dumps(record) if text is None else text})


def test_everything_comes_back(tmp_path):
    bundle = some_bundle()
    bundle.save(tmp_path / "a.safetensors")
    loaded = Bundle.load(tmp_path / "a.safetensors")
    assert (loaded.options, loaded.policy, loaded.licence) == (bundle.options, bundle.policy, bundle.licence)
    assert loaded.provenance == bundle.provenance
    assert loaded.encoding == GridEncoding()
    np.testing.assert_array_equal(loaded.model().log_probs(TOKENS), bundle.model().log_probs(TOKENS))
    np.testing.assert_array_equal(loaded.prior().log_probs(TOKENS), bundle.prior().log_probs(TOKENS))
    loaded.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]


REMEMBERING = NetworkOptions(width=8, embedding=8, repeat_features=2, copy_head=True, attention=4, max_context=30)


def described(path):
    with safetensors.safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["cantilena"])


def test_a_network_that_remembers_comes_back(tmp_path):
    path = tmp_path / "a.safetensors"
    bundle = Bundle(REMEMBERING, Network(REMEMBERING, 38).numpy_weights(), GridEncoding().description())
    bundle.save(path)
    loaded = Bundle.load(path)
    assert loaded.options == REMEMBERING
    np.testing.assert_array_equal(loaded.model().log_probs(TOKENS), bundle.model().log_probs(TOKENS))
    assert described(path)["format"] == 3


def test_a_network_without_memory_is_written_as_every_cantilena_reads_it(tmp_path):
    path = tmp_path / "a.safetensors"
    some_bundle().save(path)
    record = described(path)
    assert record["format"] == 1
    assert not {"echoes", "copy_head", "attention", "reach"} & set(record["options"])
    rewritten(path, lambda record: record["options"].update(echoes=0))
    with pytest.raises(BundleError, match="unknown 'echoes'"):  # the first format has no such option
        Bundle.load(path)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda record: record.update(format=1), "unknown"),
        (lambda record: record["options"].pop("reach"), "lack 'reach'"),
        (lambda record: record["options"].update(echoes=1), "shape"),
        (lambda record: record["options"].update(copy_head=1), "not a bool"),
        (lambda record: record["options"].update(attention=0), "has the weights 'attention.place.bias'"),
        (lambda record: record["options"].update(attention=-1), "make no network"),
        (lambda record: record["options"].update(reach=10**9), "make no network"),
    ],
)
def test_a_memory_that_lies_is_refused(tmp_path, edit, said):
    path = tmp_path / "a.safetensors"
    Bundle(REMEMBERING, Network(REMEMBERING, 38).numpy_weights(), GridEncoding().description()).save(path)
    rewritten(path, edit)
    with pytest.raises(BundleError) as caught:
        Bundle.load(path)
    assert said in caught.value.text
    assert caught.value.hint


@pytest.mark.parametrize("name", ["tunes", "tunes+rl", "tunes+rl-tuner"])
def test_bundles_that_ship_are_read(name):
    bundle = Bundle.load(find_bundle(name))
    assert (bundle.options.repeat_features, bundle.options.copy_head, bundle.ngram) == (2, False, None)
    model = bundle.model()
    assert np.exp(model.log_probs(TOKENS)).sum(-1) == pytest.approx(np.ones((2, 20)), abs=1e-5)


def test_model_prior_and_network_are_the_right_ones():
    bundle = some_bundle()
    model, prior, network = bundle.model(), bundle.prior(), bundle.network()
    assert isinstance(model, PolicyModel)
    assert isinstance(prior, NumpyNetwork)
    np.testing.assert_allclose(model.log_probs(TOKENS), network.log_probs(TOKENS).detach().numpy(), atol=1e-5)
    expected = Network(OPTIONS, 38, seed=2).log_probs(TOKENS).detach().numpy()
    np.testing.assert_allclose(prior.log_probs(TOKENS), expected, atol=1e-5)
    untuned = some_bundle(prior_weights=None, policy="likelihood")
    np.testing.assert_array_equal(untuned.model().log_probs(TOKENS), untuned.prior().log_probs(TOKENS))


def test_large_networks_compute_in_torch():
    options = NetworkOptions(width=1200, embedding=8)
    bundle = Bundle(options, Network(options, 38).numpy_weights(), GridEncoding().description())
    assert isinstance(bundle.model(), Network)
    assert bundle.model().stepping == torch.float32
    assert bundle.model("auto").stepping == choose_precision("auto", torch.device("cpu"))
    assert bundle.prior().stepping == torch.float32


def test_a_small_network_is_float32_whatever_is_asked_and_nonsense_is_refused():
    plain, asked = some_bundle(policy="g"), some_bundle(policy="g")
    np.testing.assert_array_equal(plain.model().start(2)[0], asked.model("bfloat16").start(2)[0])
    with pytest.raises(UsageError, match="no precision 'half'"):
        plain.model("half")


def test_a_large_tuned_network_and_its_prior_step_alike(monkeypatch):
    monkeypatch.setattr("cantilena.models.bundle.kinds.MAX_NUMPY_PARAMETERS", 0)
    monkeypatch.setattr("cantilena.models.network.device.supports_bfloat16", lambda *_: True)
    model = some_bundle(policy="g").model("bfloat16")
    assert (model.network.stepping, model.prior.stepping) == (torch.bfloat16, torch.bfloat16)
    np.testing.assert_allclose(model.start(2)[0], some_bundle(policy="g").model().start(2)[0], atol=0.02)


def test_half_the_size_costs_little(tmp_path):
    options = NetworkOptions(width=64, embedding=64)
    bundle = Bundle(options, Network(options, 38).numpy_weights(), GridEncoding().description())
    bundle.save(tmp_path / "whole.safetensors")
    bundle.save(tmp_path / "half.safetensors", half=True)
    whole, half = ((tmp_path / f"{name}.safetensors").stat().st_size for name in ("whole", "half"))
    assert half < 0.52 * whole
    again = Bundle.load(tmp_path / "half.safetensors").model().log_probs(TOKENS)
    np.testing.assert_allclose(again, bundle.model().log_probs(TOKENS), atol=2e-3)


def test_nothing_is_overwritten_unasked(tmp_path):
    some_bundle().save(tmp_path / "a.safetensors")
    with pytest.raises(RunError):
        some_bundle().save(tmp_path / "a.safetensors", overwrite=False)


def test_loading_and_stepping_a_small_bundle_imports_no_torch(tmp_path):
    some_bundle(policy="g").save(tmp_path / "a.safetensors")
    program = f"""
import sys
from pathlib import Path
from cantilena.models import Bundle
model = Bundle.load(Path({str(tmp_path / "a.safetensors")!r})).model()
log_probs, state = model.start(2)
model.step(log_probs.argmax(-1), state)
assert "torch" not in sys.modules, "torch was imported"
assert "numba" not in sys.modules, "numba was imported"
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_bundles_are_found_by_path_folder_and_name(tmp_path):
    some_bundle().save(tmp_path / "run" / "lstm.safetensors")
    inside = tmp_path / "run" / "lstm.safetensors"
    assert find_bundle(inside) == inside
    assert find_bundle(str(tmp_path / "run")) == inside
    some_bundle().save(tmp_path / "run" / "other.safetensors")
    with pytest.raises(BundleError, match="other"):
        find_bundle(tmp_path / "run")
    with pytest.raises(BundleError, match="no bundle 'no such name'"):
        find_bundle("no such name")


def test_parts_that_do_not_fit_are_refused():
    weights = Network(OPTIONS, 38).numpy_weights()
    with pytest.raises(BundleError, match=r"head\.weight"):
        some_bundle(weights={**weights, "head.weight": weights["head.weight"][:5]})
    with pytest.raises(BundleError, match="not all finite"):
        some_bundle(weights={**weights, "head.bias": np.full(38, np.nan, dtype=np.float32)})
    with pytest.raises(BundleError, match="lacks"):
        some_bundle(weights={name: weight for name, weight in weights.items() if name != "head.bias"})
    with pytest.raises(BundleError, match="prior"):
        some_bundle(prior_weights=None, policy="g")
    with pytest.raises(BundleError, match="policy"):
        replace(some_bundle(), policy="best")


EDITS = {
    "later": (lambda record: record.update(format=99), "format 99"),
    "earlier": (lambda record: record.update(format=0), "format 0"),
    "true": (lambda record: record.update(format=True), "which format"),
    "no policy": (lambda record: record.pop("policy"), "lacks 'policy'"),
    "one more": (lambda record: record.update(code="import os"), "unknown 'code'"),
    "no dict": (lambda record: record.update(options=[1]), "'options'"),
    "wide": (lambda record: record["options"].update(width=10**12), "make no network"),
    "other width": (lambda record: record["options"].update(width=16), "shape"),
    "text": (lambda record: record["options"].update(width="8"), "'width'"),
    "boolean": (lambda record: record["options"].update(layers=True), "'layers'"),
    "odd option": (lambda record: record["options"].update(fun=1), "'fun'"),
    "look-back": (lambda record: record["options"].update(look_back=["a"]), "'look_back'"),
    "encoding": (lambda record: record.update(encoding={"name": "none"}), "encoding"),
    "other encoding": (lambda record: record["encoding"].update(high=90), "shape"),
    "policy": (lambda record: record.update(policy="best"), "policy"),
    "untuned": (lambda record: record.update(tuned=False), "other weights"),
}


@pytest.mark.parametrize(("edit", "said"), EDITS.values(), ids=EDITS.keys())
def test_descriptions_that_lie_are_refused(tmp_path, edit, said):
    path = tmp_path / "a.safetensors"
    some_bundle().save(path)
    rewritten(path, edit)
    with pytest.raises(BundleError) as caught:
        Bundle.load(path)
    assert said in caught.value.text
    assert str(path) in caught.value.text
    assert "\n" not in caught.value.text
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "[]", "NaN", '{"format": Infinity}'])
def test_descriptions_that_are_no_json_are_refused(tmp_path, text):
    path = tmp_path / "a.safetensors"
    some_bundle().save(path)
    rewritten(path, text=text)
    with pytest.raises(BundleError):
        Bundle.load(path)


def test_files_that_are_no_bundles_are_refused(tmp_path):
    good = tmp_path / "good.safetensors"
    some_bundle().save(good)
    content = good.read_bytes()
    broken = {
        "empty": b"",
        "text": b"hello",
        "cut": content[: len(content) // 2],
        "cut header": content[:20],
        "huge header": b"\xff" * 8 + content[8:],
        "long": content + b"\x00",
        "pickle": b"\x80\x04\x95\x00.",
    }
    for name, bytes_ in broken.items():
        (tmp_path / name).write_bytes(bytes_)
        with pytest.raises(BundleError) as caught:
            Bundle.load(tmp_path / name)
        assert caught.value.hint
        assert "\n" not in caught.value.text
    os.mkfifo(tmp_path / "fifo")
    for nothing in (tmp_path, tmp_path / "fifo", tmp_path / "missing", Path("/dev/null")):
        with pytest.raises(BundleError):
            Bundle.load(nothing)


def test_foreign_safetensors_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    some_bundle().save(path)
    rewritten(path, entry="other")
    with pytest.raises(BundleError, match="Cantilena did not write it"):
        Bundle.load(path)


def test_other_number_types_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    some_bundle().save(path)
    tensors = {name: tensor.astype(np.float64) for name, tensor in safetensors.numpy.load_file(path).items()}
    rewritten(path, tensors=tensors)
    with pytest.raises(BundleError, match="F64"):
        Bundle.load(path)


def test_an_empty_name_is_not_the_working_folder() -> None:
    with pytest.raises(UsageError, match="no name"):
        find_bundle(" ")


NOTES = NotesEncoding(chords=((), (5, 9)))
OF_NOTES = NetworkOptions(width=8, embedding=8, look_back=(1, 2), durations=NOTES.durations, pitches=36)
EVENTS = np.array([[8, 20, 55, 4, 53, 54, 11, 30, 54, 0]])


def notes_bundle(**changes):
    weights = Network(OF_NOTES, len(NOTES.vocabulary), seed=3).numpy_weights()
    fields = {"options": OF_NOTES, "weights": weights, "encoding_description": NOTES.description()}
    return Bundle(**{**fields, **changes})


@pytest.mark.parametrize("how", [{}, {"half": True}, {"int8": True}], ids=str)
def test_a_network_of_notes_comes_back(tmp_path, how):
    path, bundle = tmp_path / "a.safetensors", notes_bundle()
    bundle.save(path, **how)
    loaded = Bundle.load(path)
    assert described(path)["format"] == 9
    assert (loaded.options, loaded.encoding) == (OF_NOTES, NOTES)
    bars = Bars(np.array([96]), np.array([24]), length=np.array([120]))
    expected = bundle.model().log_probs(EVENTS, bars=bars)
    np.testing.assert_allclose(loaded.model().log_probs(EVENTS, bars=bars), expected, atol=0.0 if not how else 0.02)
    np.testing.assert_allclose(
        loaded.network().log_probs(EVENTS, bars=bars).detach().numpy(), expected, atol=1e-4 if not how else 0.02
    )
    loaded.save(tmp_path / "b.safetensors", **how)
    assert how or path.read_bytes() == (tmp_path / "b.safetensors").read_bytes()


NOTES_EDITS = {
    "an earlier format": (lambda record: record.update(format=8), "unknown"),
    "no durations": (lambda record: record["options"].pop("durations"), "lack 'durations'"),
    "of steps": (lambda record: record["options"].update(durations=[], pitches=0), "not those of its encoding"),
    "other durations": (lambda record: record["options"].update(durations=[1, 2]), "not those of its encoding"),
    "fewer pitches": (lambda record: record["options"].update(pitches=35), "not those of its encoding"),
    "descending": (lambda record: record["options"]["durations"].reverse(), "out of order"),
    "twice": (lambda record: record["options"].update(durations=[1, 1]), "out of order"),
    "negative": (lambda record: record["options"].update(durations=[-1, 2]), "out of order"),
    "for ever": (lambda record: record["options"].update(durations=[1, 10**30]), "ticks"),
    "no pitches": (lambda record: record["options"].update(pitches=-4), "pitches"),
    "of floats": (lambda record: record["options"].update(durations=[1.0, 2.0]), "not a tuple"),
    "the grid": (lambda record: record.update(encoding=GridEncoding().description()), "not those of its encoding"),
    "another encoding": (lambda record: record["encoding"].update(durations=[1]), "not those of its encoding"),
    "fewer chords": (lambda record: record["encoding"].update(chords=[]), "shape"),
    "no encoding": (lambda record: record["encoding"].update(low="C4"), "encoding cannot be read"),
    "attention": (lambda record: record["options"].update(attention=4), "cannot attend"),
    "a transformer": (lambda record: record["options"].update(core="transformer"), "transformer"),
}


@pytest.mark.parametrize(("edit", "said"), NOTES_EDITS.values(), ids=NOTES_EDITS.keys())
def test_networks_of_notes_that_lie_are_refused(tmp_path, edit, said):
    path = tmp_path / "a.safetensors"
    notes_bundle().save(path)
    rewritten(path, edit)
    with pytest.raises(BundleError) as caught:
        Bundle.load(path)
    assert said in caught.value.text
    assert len(caught.value.text.splitlines()) == 1
    assert caught.value.hint


def test_a_network_of_steps_has_no_encoding_by_the_note():
    with pytest.raises(BundleError, match="not those of its encoding"):
        replace(some_bundle(), encoding_description=NOTES.description())
