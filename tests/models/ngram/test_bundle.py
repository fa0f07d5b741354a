"""The n-gram's bundle: it comes back to the last bit, without torch, and no file leads a compiled loop astray."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from cantilena.errors import BundleError, UsageError
from cantilena.generation import load
from cantilena.models import Bundle, NetworkOptions, NGram, NGramOptions, find_bundle, ngram_arrays, weight_shapes
from cantilena.rl import TuningOptions, check_tunable
from cantilena.tokenizers import EventsEncoding, GridEncoding, NotesEncoding, allowed_after

RNG = np.random.default_rng(3)
GRID = GridEncoding()
PIECES = [np.tile(RNG.integers(0, 38, 12), 3) for _ in range(20)]
MODEL = NGram.fit(PIECES[:15], 38, NGramOptions(order=4)).tune(PIECES[15:])
TOKENS = np.stack(PIECES[15:])


def some_bundle(model: NGram = MODEL, **changes: object) -> Bundle:
    fields = {
        "encoding_description": GRID.description(),
        "licence": "public domain",
        "provenance": {"corpus": {"name": "tünes"}, "plain_keys": True, "ngram": {"order": 4}},
    }
    return Bundle(model.options, ngram_arrays(model), **{**fields, **changes})  # type: ignore[arg-type]


def saved(folder: Path, **changes: object) -> Path:
    some_bundle(**changes).save(folder / "a.safetensors")  # type: ignore[arg-type]
    return folder / "a.safetensors"


def rewritten(path: Path, arrays: dict[str, np.ndarray] | None = None, **record: object) -> None:
    """Write other arrays or another description into a bundle's file."""
    held = safetensors.numpy.load_file(path) if arrays is None else arrays
    with safetensors.safe_open(path, framework="numpy") as file:
        description = json.loads(file.metadata()["cantilena"])
    text = json.dumps({**description, **record})
    safetensors.numpy.save_file(held, path, metadata={"cantilena": text})


def test_everything_comes_back(tmp_path: Path) -> None:
    bundle, path = some_bundle(), saved(tmp_path)
    loaded = Bundle.load(path)
    assert (loaded.options, loaded.policy, loaded.licence) == (MODEL.options, "likelihood", "public domain")
    assert loaded.provenance == bundle.provenance
    assert loaded.encoding == GRID
    model = loaded.model()
    assert isinstance(model, NGram)
    np.testing.assert_array_equal(model.log_probs(TOKENS), MODEL.log_probs(TOKENS))
    np.testing.assert_array_equal(loaded.prior().log_probs(TOKENS), MODEL.log_probs(TOKENS))
    loaded.save(tmp_path / "b.safetensors", half=True)  # an n-gram has no halves
    assert path.read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_the_file_holds_the_shortest_integers(tmp_path: Path) -> None:
    held = safetensors.numpy.load_file(saved(tmp_path))
    kinds = {name: array.dtype.name for name, array in held.items()}
    assert kinds == {
        "weights.edges": "uint16",
        "weights.first": "uint16",
        "weights.followers": "uint8",
        "weights.counts": "uint8",
        "weights.in_piece": "float64",
    }


def test_an_n_gram_of_notes_knows_which_part_comes_next(tmp_path: Path) -> None:
    notes = NotesEncoding()
    pieces = [np.array([8, 20, 4, 22, 8, notes.rest, 0])] * 3
    model = NGram.fit(pieces, len(notes.vocabulary), NGramOptions(order=4), allowed_after(notes)).tune(pieces)
    again = Bundle.load(saved(tmp_path, model=model, encoding_description=notes.description())).model()
    np.testing.assert_array_equal(again.log_probs(pieces[0][None]), model.log_probs(pieces[0][None]))
    assert np.exp(again.log_probs(pieces[0][None]))[0, 1, : notes.parts[1][0]].sum() == 0.0


def test_an_n_gram_of_order_one_has_no_contexts_and_comes_back(tmp_path: Path) -> None:
    model = NGram.fit(PIECES, 38, NGramOptions(order=1))
    again = Bundle.load(saved(tmp_path, model=model)).model()
    np.testing.assert_array_equal(again.log_probs(TOKENS), model.log_probs(TOKENS))


def test_chords_are_counted_too(tmp_path: Path) -> None:
    events = EventsEncoding(("C4", "D4", "0.4.7"))
    model = NGram.fit([np.array([0, 1, 2, 0, 1, 2])], 3)
    loaded = Bundle.load(saved(tmp_path, model=model, encoding_description=events.description()))
    assert loaded.encoding == events
    assert loaded.model().vocabulary_size == 3


@pytest.mark.parametrize(("name", "number"), [("tunes+rl-tuner", 5), ("tunes", 11), ("tunes+rl", 11)])
def test_networks_are_written_as_ever(tmp_path: Path, name: str, number: int) -> None:
    shipped = find_bundle(name)
    bundle = Bundle.load(shipped)
    bundle.save(tmp_path / "again.safetensors", half=True)
    formats = []
    for path in (shipped, tmp_path / "again.safetensors"):
        with safetensors.safe_open(path, framework="numpy") as file:
            formats.append(json.loads(file.metadata()["cantilena"])["format"])
    assert formats == [number, number]
    with safetensors.safe_open(saved(tmp_path), framework="numpy") as file:
        assert json.loads(file.metadata()["cantilena"])["format"] == 2


def test_a_file_composes_without_torch(tmp_path: Path) -> None:
    path = saved(tmp_path)
    melody = load(path).compose(bars=2, primer="C4 E4 G4", seed=1)
    assert melody.log_likelihood == pytest.approx(melody.policy_log_likelihood)
    assert melody.log_likelihood < 0
    program = f"""
import sys
from pathlib import Path
from cantilena.models import Bundle
bundle = Bundle.load(Path({str(path)!r}))
assert "numba" not in sys.modules, "numba was imported before anything was predicted"
bundle.model().start(2)
assert "torch" not in sys.modules, "torch was imported"
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_an_n_gram_is_no_network_and_cannot_be_tuned() -> None:
    for refuse in (
        lambda: some_bundle().network(),
        lambda: some_bundle().network_options(),
        lambda: check_tunable(some_bundle(), TuningOptions()),
        lambda: check_tunable(some_bundle(), TuningOptions(algorithm="q", reference_mode=True)),
    ):
        with pytest.raises(UsageError, match="n-gram") as refused:
            refuse()
        assert "--model ngram" in refused.value.hint
    with pytest.raises(BundleError, match="tuned"):
        replace(some_bundle(), policy="softmax-q")
    with pytest.raises(BundleError, match="tuned"):
        replace(some_bundle(), prior_weights=ngram_arrays(MODEL))


def edited(name: str, change: object) -> dict[str, np.ndarray]:
    """The arrays with one of them changed by a function of it."""
    arrays = {key: array.copy() for key, array in ngram_arrays(MODEL).items()}
    arrays[name] = change(arrays[name])  # type: ignore[operator]
    return arrays


def put(place: int, value: float) -> object:
    def change(array: np.ndarray) -> np.ndarray:
        array[place] = value
        return array

    return change


def turned(array: np.ndarray) -> np.ndarray:
    array[[5, 6]] = array[[6, 5]]
    return array


LIES = {
    "edges out of order": ("edges", turned, "out of order"),
    "an edge twice": ("edges", lambda a: np.sort(put(6, int(a[5]))(a)), "out of order"),  # type: ignore[operator]
    "an edge from nowhere": ("edges", put(-1, 2**40), "before its shorter context"),
    "an edge below zero": ("edges", put(0, -1), "before its shorter context"),
    "an edge to itself": ("edges", lambda a: put(-1, 39 * len(a))(a), "before its shorter context"),  # type: ignore[operator]
    "an edge too few": ("edges", lambda a: a[:-1], "'first' has"),
    "no edges": ("edges", lambda a: a[:0], "'first' has"),
    "first beyond": ("first", put(-1, 10**9), "begin and end"),
    "first not zero": ("first", put(0, 1), "begin and end"),
    "first falls": ("first", put(3, 10**6), "no followers"),
    "first negative": ("first", put(3, -5), "no followers"),
    "first empty": ("first", lambda a: a[:0], "'first' has"),
    "a follower beyond": ("followers", put(7, 38), "vocabulary"),
    "a follower below zero": ("followers", put(7, -1), "vocabulary"),
    "a follower twice": ("followers", lambda a: put(1, int(a[0]))(a), "out of order"),  # type: ignore[operator]
    "a follower too few": ("followers", lambda a: a[:-1], "counts for"),
    "no count": ("counts", put(3, 0), "less than one"),
    "a negative count": ("counts", put(3, -4), "less than one"),
    "a count too many": ("counts", lambda a: np.append(a, 1), "counts for"),
    "huge counts": ("counts", lambda a: np.full_like(a, 2**62), "too large"),
    "counts in parts": ("counts", lambda a: a.astype(np.float64), "whole numbers"),
    "counts in a square": ("counts", lambda a: a[None, :], "whole numbers"),
    "a weight over 1": ("in_piece", put(2, 1.5), "from 0 to 1"),
    "a weight below 0": ("in_piece", put(2, -0.1), "from 0 to 1"),
    "no number": ("in_piece", put(2, np.nan), "from 0 to 1"),
    "a weight too few": ("in_piece", lambda a: a[:-1], "32 weights"),
    "whole weights": ("in_piece", lambda a: np.ones(33, dtype=np.int64), "row of numbers"),
}


@pytest.mark.parametrize(("name", "change", "wrong"), LIES.values(), ids=LIES.keys())
def test_arrays_that_lie_are_refused(tmp_path: Path, name: str, change: object, wrong: str) -> None:
    path = saved(tmp_path)
    arrays = edited(name, change)
    with pytest.raises(BundleError) as refused:
        replace(some_bundle(), weights=arrays)
    assert wrong in refused.value.text
    rewritten(path, {f"weights.{key}": array for key, array in arrays.items()})
    with pytest.raises(BundleError) as refused:
        Bundle.load(path)
    assert str(path) in refused.value.text
    assert wrong in refused.value.text
    assert "\n" not in refused.value.text
    assert refused.value.hint


def test_missing_and_foreign_arrays_are_refused(tmp_path: Path) -> None:
    arrays = ngram_arrays(MODEL)
    with pytest.raises(BundleError, match="lacks the array 'counts'"):
        replace(some_bundle(), weights={name: array for name, array in arrays.items() if name != "counts"})
    with pytest.raises(BundleError, match="has the array 'more'"):
        replace(some_bundle(), weights={**arrays, "more": arrays["counts"]})
    path = saved(tmp_path)
    rewritten(path, {f"weights.{name}": array.astype(np.int32) for name, array in arrays.items()})
    with pytest.raises(BundleError, match="I32"):
        Bundle.load(path)


@pytest.mark.parametrize(
    "record",
    [
        {"format": 1},
        {"format": 3},
        {"tuned": True},
        {"policy": "psi"},
        {"options": {}},
        {"options": {"order": 10**9, "caution": 2.0, "caution_in_piece": 4.0}},
        {"options": {"order": 3.0, "caution": 2.0, "caution_in_piece": 4.0}},
        {"options": {"order": 3, "caution": -2.0, "caution_in_piece": 4.0}},
        {"options": {"order": 3, "caution": 2.0, "caution_in_piece": 1e999}},
        {"encoding": {"name": "events", "chords": "full", "vocabulary": ["C4", "D4"]}},
    ],
    ids=lambda record: json.dumps(record)[:40],
)
def test_descriptions_that_lie_are_refused(tmp_path: Path, record: dict[str, object]) -> None:
    path = saved(tmp_path)
    rewritten(path, None, **record)
    with pytest.raises(BundleError) as refused:
        Bundle.load(path)
    assert refused.value.hint


def test_a_network_under_the_name_of_an_n_gram_is_refused() -> None:
    weights = {name: np.zeros(shape) for name, shape in weight_shapes(NetworkOptions(width=8, embedding=8), 38).items()}
    with pytest.raises(BundleError, match="n-gram"):
        replace(some_bundle(), weights=weights)


def test_files_with_changed_bytes_are_refused_or_still_an_n_gram(tmp_path: Path) -> None:
    """Whatever is changed: the file is refused in one line, or what it holds is a distribution."""
    content = saved(tmp_path).read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    tokens = np.stack(PIECES[:2])
    refused = []
    for number in range(300):
        rng = np.random.default_rng(number)
        mutated = bytearray(content)
        for place in rng.integers(header if number % 3 else 0, len(content), rng.integers(1, 4)):
            mutated[place] = rng.integers(256)
        path = tmp_path / "mutated.safetensors"
        path.write_bytes(mutated)
        try:
            model = Bundle.load(path).model()
        except BundleError as error:
            refused.append(error.text)
            continue
        log_p = np.asarray(model.log_probs(tokens))
        np.testing.assert_allclose(np.exp(log_p).sum(-1), 1.0)
    assert 50 < len(refused) < 300
    assert not any("\n" in text for text in refused)
