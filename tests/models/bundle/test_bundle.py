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
    shipped_bundles,
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


@pytest.mark.parametrize("name", [name for name in shipped_bundles() if name != "tunes-vae"])
def test_bundles_that_ship_are_read(name):
    bundle = Bundle.load(find_bundle(name))
    rng, notes = np.random.default_rng(0), isinstance(bundle.encoding, NotesEncoding)
    assert bool(bundle.options.durations) == bundle.options.plan == ("forms" in bundle.provenance) == notes
    assert (bundle.is_tuned, bundle.ngram) == ("+rl" in name, None)
    if name == "tunes+rl-tuner":
        assert (bundle.encoding, bundle.options.repeat_features) == (GridEncoding(), 2)
    parts = bundle.encoding.parts if notes else [(0, len(bundle.encoding.vocabulary))]
    tokens = np.stack([rng.integers(*parts[step % len(parts)], 2) for step in range(21)], axis=1)
    if notes and len(parts) > 2:  # under a rest is no chord
        tokens[:, 2::3] = np.where(tokens[:, 1::3] == bundle.encoding.rest, parts[2][0], tokens[:, 2::3])
    for model in (bundle.model(), bundle.prior()):
        assert np.exp(model.log_probs(tokens)).sum(-1) == pytest.approx(np.ones((2, 21)), abs=1e-5)


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


TABLES = ("direct.weight", "parts.weight", "table.weight")


def tuned_notes(unchanged=TABLES):
    """A network of notes, tuned so that these weights are as they were."""
    options = replace(OF_NOTES, head_width=12)
    before = Network(options, len(NOTES.vocabulary), seed=3).numpy_weights()
    after = {name: weight if name in unchanged else weight + np.float32(0.125) for name, weight in before.items()}
    return notes_bundle(options=options, weights=after, prior_weights=before, policy="g")


@pytest.mark.parametrize("how", [{}, {"half": True}, {"int8": True}], ids=str)
def test_what_tuning_left_as_it_was_is_stored_once(tmp_path, how):
    paths = shared, whole, before = [tmp_path / f"{name}.safetensors" for name in ("shared", "whole", "before")]
    bundle = tuned_notes()
    bundle.save(shared, **how)
    tuned_notes(unchanged=()).save(whole, **how)
    replace(bundle, weights=bundle.prior_weights, prior_weights=None, policy="likelihood").save(before, **how)
    assert [described(path)["format"] for path in paths] == [10, 9, 9]
    stored = safetensors.numpy.load_file(shared)  # with the scales of 8-bit integers
    assert not [name for name in stored if name.endswith(tuple(f"prior.{table}" for table in TABLES))]
    tables = [name for name in stored if name.endswith(tuple(f"weights.{table}" for table in TABLES))]
    saved = whole.stat().st_size - shared.stat().st_size
    assert 0 < sum(stored[name].nbytes for name in tables) < saved < sum(stored[name].nbytes + 200 for name in tables)

    loaded, prior = Bundle.load(shared), Bundle.load(before)
    assert (loaded.options, loaded.policy, loaded.encoding) == (bundle.options, "g", NOTES)
    assert set(loaded.weights) == set(loaded.prior_weights) == set(bundle.weights)
    for name, weight in loaded.prior_weights.items():
        np.testing.assert_array_equal(weight, prior.weights[name])
        assert np.array_equal(weight, loaded.weights[name]) == (name in TABLES)
        if not how:
            np.testing.assert_array_equal(weight, bundle.prior_weights[name])
            np.testing.assert_array_equal(loaded.weights[name], bundle.weights[name])
    bars = Bars(np.array([96]), np.array([24]), length=np.array([120]))
    np.testing.assert_array_equal(
        loaded.prior().log_probs(EVENTS, bars=bars), prior.model().log_probs(EVENTS, bars=bars)
    )
    if not how:
        np.testing.assert_array_equal(
            loaded.model().log_probs(EVENTS, bars=bars), bundle.model().log_probs(EVENTS, bars=bars)
        )
        loaded.save(tmp_path / "again.safetensors")
        assert (tmp_path / "again.safetensors").read_bytes() == shared.read_bytes()


def test_weights_that_all_changed_or_none_of_them_are_written_as_every_cantilena_reads_them(tmp_path):
    path = tmp_path / "a.safetensors"
    before = some_bundle().prior_weights
    for weights, expected in ((some_bundle().weights, 1), (before, 1), ({**before, "head.bias": np.ones(38)}, 10)):
        some_bundle(weights=weights).save(path)
        assert described(path)["format"] == expected
        loaded = Bundle.load(path)
        assert loaded.is_tuned
        for name, weight in weights.items():
            np.testing.assert_array_equal(loaded.weights[name], weight)
            np.testing.assert_array_equal(loaded.prior_weights[name], before[name])


SHARED_LIES = {
    "an earlier format": (lambda record, held: record.update(format=9), "lacks the weights 'direct.weight'"),
    "an unknown tensor": (lambda record, held: held.update({"prior.other": np.ones(3, np.float32)}), "'other'"),
    "another shape": (lambda record, held: held.update({"prior.head.bias": np.ones(3, np.float32)}), "shape"),
    "not finite": (lambda record, held: held["prior.head.bias"].fill(np.nan), "not all finite"),
    "untuned": (lambda record, held: record.update(tuned=False), "other weights"),
    "no prior": (lambda record, held: [held.pop(name) for name in [*held] if "prior." in name], "other weights"),
    "only before": (
        lambda record, held: held.update({"prior.head.bias": held.pop("weights.head.bias")}),
        "lacks the weights 'head.bias'",
    ),
    "no scale": (lambda record, held: held.pop("scale.weights.table.weight"), "only the 8-bit integers"),
}


@pytest.mark.parametrize(("edit", "said"), SHARED_LIES.values(), ids=SHARED_LIES.keys())
def test_shared_weights_that_lie_are_refused(tmp_path, edit, said):
    path = tmp_path / "a.safetensors"
    tuned_notes().save(path, int8=True)
    held, changed = safetensors.numpy.load_file(path), described(path)
    edit(changed, held)
    rewritten(path, tensors=held, text=json.dumps(changed))
    with pytest.raises(BundleError) as caught:
        Bundle.load(path)
    assert said in caught.value.text
    assert len(caught.value.text.splitlines()) == 1
    assert caught.value.hint
