"""How likely held-out pieces are: by the definition, from folders as they are, and what is told of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cantilena.data import read_melody
from cantilena.errors import BundleError, CorpusError, UsageError
from cantilena.io import write
from cantilena.metrics import Interval
from cantilena.models import (
    Bars,
    Bundle,
    Network,
    NetworkOptions,
    NGram,
    NGramOptions,
    log_probs_with_bars,
    ngram_arrays,
)
from cantilena.music import Melody
from cantilena.tokenizers import EventsEncoding, GridEncoding
from cantilena.workflows import TrainOptions, measure_likelihoods, run_training
from cantilena.workflows.data import HeldOut
from cantilena.workflows.evaluate.likelihood import Margin

GRID = GridEncoding()
SHAPE = NetworkOptions(width=8, embedding=8)


@pytest.fixture(scope="module")
def ngram(corpus_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = TrainOptions(corpus=str(corpus_file), model="ngram", keys="all")
    return run_training(asked, tmp_path_factory.mktemp("ngram") / "run").path


def network(path: Path, seed: int = 1, **changes: object) -> Path:
    weights = Network(SHAPE, 38, seed=seed).numpy_weights()
    Bundle(SHAPE, weights, GRID.description(), **changes).save(path)  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tunes, two of them the same, one in a far key with a note beyond the grid's range, and a broken file."""
    place = tmp_path_factory.mktemp("held out")
    tune = [(60, 24), (62, 12), (64, 12), (67, 48)] * 3
    write(Melody.from_pitches(tune), place / "a.mid")
    write(Melody.from_pitches(tune), place / "b.mid")
    write(Melody.from_pitches([*((pitch + 6, ticks) for pitch, ticks in tune), (96, 24)]), place / "c.mid")
    (place / "broken.mid").write_bytes(b"MThd nothing")
    return place


def by_hand(bundle: Path, folder: Path) -> tuple[float, int, int]:
    """Nats, steps and notes: one token after another, each given all before it."""
    model, nats, steps, notes = Bundle.load(bundle).model(), 0.0, 0, 0
    for path in sorted(folder.glob("[abc].mid")):
        tokens = GRID.encode(read_melody(path))
        log_p, state = model.start(1)
        for token in tokens:
            nats -= float(np.asarray(log_p)[0, token])
            log_p, state = model.step(np.array([token]), state)
        steps += len(tokens)
        notes += int((tokens >= 2).sum())
    return nats, steps, notes


def test_nats_are_those_of_the_definition(ngram: Path, folder: Path, tmp_path: Path) -> None:
    untrained = network(tmp_path / "network.safetensors")
    measured = measure_likelihoods([f"counts={ngram}", f"net={untrained}"], folder).to_json()
    for name, path in (("counts", ngram), ("net", untrained)):
        nats, steps, notes = by_hand(path, folder)
        system = measured["systems"][name]
        assert (system["melodies"], system["steps"], system["notes"]) == (3, steps, notes)
        for what, out_of in (("nats_per_step", steps), ("nats_per_note", notes)):
            told = system["metrics"][what]
            assert told["value"] == pytest.approx(nats / out_of, abs=2e-6)
            assert told["low"] <= told["value"] <= told["high"]
            assert system["test"][what] == told["value"]
        assert system["folded"] == 1  # the note beyond the range
        assert not any(name.endswith("plain_keys") for name in system["metrics"])
    assert [row["file"] for row in measured["skipped"]] == ["broken.mid"]
    json.dumps(measured, allow_nan=False)


def test_an_untrained_even_model_needs_the_log_of_its_vocabulary(folder: Path, tmp_path: Path) -> None:
    weights = {name: np.zeros_like(array) for name, array in Network(SHAPE, 38).numpy_weights().items()}
    Bundle(SHAPE, weights, GRID.description()).save(tmp_path / "even.safetensors")
    told = measure_likelihoods([str(tmp_path / "even.safetensors")], folder).to_json()["systems"]["even.safetensors"]
    assert told["metrics"]["nats_per_step"] == {name: round(math.log(38), 6) for name in ("value", "low", "high")}


def test_nats_by_bars_add_up_and_are_those_of_the_steps(folder: Path, tmp_path: Path) -> None:
    path = network(tmp_path / "network.safetensors")
    system = measure_likelihoods([str(path)], folder).to_json()["systems"]["network.safetensors"]
    rows = {row["bars"]: row for row in system["by_bars"]}
    assert list(rows) == ["1-2", "3-4", "5-8", "9-16", "17-"]
    assert sum(row["steps"] for row in rows.values()) == system["steps"]
    told = [row for row in rows.values() if row["steps"]]
    total = sum(row["value"] * row["steps"] for row in told)
    assert total == pytest.approx(system["metrics"]["nats_per_step"]["value"] * system["steps"], abs=1e-3)
    assert rows["17-"] == {"bars": "17-", "steps": 0, "value": None, "low": None, "high": None} | {
        "reason": "no piece is that long"
    }
    model, first, steps = Bundle.load(path).model(), 0.0, 0
    for file in sorted(folder.glob("[abc].mid")):
        tokens = GRID.encode(read_melody(file))[None, :32]
        log_p = np.asarray(log_probs_with_bars(model, tokens, Bars.common_time(1)))
        first -= float(np.take_along_axis(log_p, tokens[..., None], axis=-1).sum())
        steps += tokens.size
    assert (rows["1-2"]["steps"], rows["1-2"]["value"]) == (steps, pytest.approx(first / steps, abs=1e-5))


def test_margins_are_paired_by_piece(ngram: Path, folder: Path, tmp_path: Path) -> None:
    untrained = network(tmp_path / "network.safetensors")
    words = [f"net={untrained}", f"counts={ngram}"]
    measured = measure_likelihoods(words, folder)
    told = measured.to_json()
    (margin,) = told["differences"]
    values = [told["systems"][name]["metrics"]["nats_per_step"]["value"] for name in ("counts", "net")]
    assert (margin["first"], margin["second"], margin["metric"]) == ("net", "counts", "nats_per_step")
    assert margin["value"] == pytest.approx(values[0] - values[1], abs=2e-6)
    assert margin["low"] <= margin["value"] <= margin["high"] < 0
    assert margin["clear"]
    assert "counts needs" in measured.text()
    assert "a clear margin" in measured.text()
    assert "1 file could not be used, such as broken.mid" in measured.text()
    again = measure_likelihoods(words, folder)
    assert again.to_json() == told
    copy = measure_likelihoods([f"one={ngram}", f"two={ngram}"], folder)
    assert copy.to_json()["differences"][0]["value"] == 0
    assert not copy.to_json()["differences"][0]["clear"]
    assert "two predicts each piece as one does" in copy.text()


@pytest.mark.parametrize(
    ("interval", "clear", "said"),
    [
        (
            Interval(-0.031, -0.041, -0.02),
            True,
            "b needs 0.0310 nats per step less than a (95 %: 0.0200 to 0.0410): a cl",
        ),
        (
            Interval(0.031, 0.02, 0.041),
            True,
            "b needs 0.0310 nats per step more than a (95 %: 0.0200 to 0.0410): a clear",
        ),
        (Interval(-0.031, -0.07, 0.01), False, "less than a (95 %: -0.0100 to 0.0700): not a clear margin"),
        (Interval(-0.019, -0.02, -0.018), False, "not a clear margin"),
        (Interval(-0.5, math.nan, math.nan), False, "less than a: not a clear margin"),
    ],
)
def test_a_clear_margin_is_two_hundredths_and_sure(interval: Interval, clear: bool, said: str) -> None:
    margin = Margin("a", "b", "nats_per_step", interval)
    assert margin.clear is clear
    assert said in margin.text()


def test_one_piece_has_numbers_without_bounds(ngram: Path, tmp_path: Path) -> None:
    write(Melody.from_pitches([(60, 24), (62, 24)] * 4), tmp_path / "one" / "a.mid")
    told = measure_likelihoods([f"a={ngram}", f"b={ngram}"], tmp_path / "one")
    metrics = told.to_json()["systems"]["a"]["metrics"]
    assert metrics["nats_per_step"]["value"] > 0
    assert metrics["nats_per_step"]["low"] is None
    assert "a: " in told.text()


def test_a_tuned_model_is_measured_before_and_after(folder: Path, tmp_path: Path) -> None:
    prior = Network(SHAPE, 38, seed=2).numpy_weights()
    network(tmp_path / "plain.safetensors", seed=2)
    for policy in ("softmax-q", "g", "psi", "argmax-q"):
        network(tmp_path / f"{policy}.safetensors", prior_weights=prior, policy=policy)
    words = [f"{name}={tmp_path / name}.safetensors" for name in ("plain", "softmax-q", "g", "argmax-q")]
    measured = measure_likelihoods(words, folder)
    systems = measured.to_json()["systems"]
    assert list(systems) == ["plain", *(n + e for n in ("softmax-q", "g", "argmax-q") for e in ("", " before tuning"))]
    untuned = systems["plain"]["metrics"]
    for name in ("softmax-q", "g", "argmax-q"):
        assert systems[f"{name} before tuning"]["metrics"] == untuned
        assert systems[name]["metrics"] != untuned
    nothing = systems["argmax-q"]["metrics"]["nats_per_step"]
    assert nothing["value"] is None
    assert "argmax-q" in nothing["reason"]
    assert systems["argmax-q"]["test"] == {"nats_per_step": None, "nats_per_note": None}
    undefined = [row for row in measured.to_json()["differences"] if "argmax-q" in (row["first"], row["second"])]
    assert undefined
    assert all(row["value"] is None and row["reason"] and not row["clear"] for row in undefined)
    assert "cannot be compared" in measured.text()


def test_a_model_of_plain_keys_is_measured_as_they_are_and_moved(folder: Path, tmp_path: Path) -> None:
    path = network(tmp_path / "plain.safetensors", provenance={"plain_keys": True})
    measured = measure_likelihoods([f"plain={path}", f"any={network(tmp_path / 'any.safetensors', 2)}"], folder)
    told = measured.to_json()
    metrics = told["systems"]["plain"]["metrics"]
    moved = HeldOut(folder, jobs=1).pieces(GRID, normalized_key=True)
    found = moved.predicted_by(Bundle.load(path).model())
    assert metrics["nats_per_step_in_plain_keys"]["value"] == pytest.approx(found.nats_per_step, abs=2e-6)
    nats, steps, _ = by_hand(path, folder)
    assert metrics["nats_per_step"]["value"] == pytest.approx(nats / steps, abs=2e-6)
    assert metrics["nats_per_step"] != metrics["nats_per_step_in_plain_keys"]
    assert [row["metric"] for row in told["differences"]] == ["nats_per_step"]  # as they are, where both can be
    assert "in C major or A minor" in measured.text()


def test_what_events_cannot_say_is_counted(tmp_path: Path) -> None:
    write(Melody.from_pitches([(60, 24), (62, 24), (60, 24), (61, 24), (72, 24)]), tmp_path / "test" / "a.mid")
    write(Melody.from_pitches([(61, 24), (61, 24)]), tmp_path / "test" / "b.mid")
    events = EventsEncoding(("C4", "D4", "0.4.7"))
    model = NGram.fit([np.array([0, 1, 2])], 3, NGramOptions(order=2))
    bundle = Bundle(model.options, ngram_arrays(model), events.description())
    bundle.save(tmp_path / "events.safetensors")
    other = replace(bundle, encoding_description=EventsEncoding(("C4", "C#4", "D4")).description())
    other.save(tmp_path / "other.safetensors")
    words = [f"{name}={tmp_path / name}.safetensors" for name in ("events", "other")]
    measured = measure_likelihoods(words, tmp_path / "test")
    system = measured.to_json()["systems"]["events"]
    # C4 D4 C4 and the C5, which is moved to C4; C#4 is left out three times, and b.mid whole.
    assert (system["melodies"], system["steps"], system["notes"]) == (1, 4, 4)
    assert (system["folded"], system["dropped"], system["silent"], system["rounded"]) == (1, 3, 1, 0)
    assert "1 note moved by octaves, 3 notes left out and 1 piece left out whole" in measured.text()
    assert system["by_bars"] == []  # events have no bars
    (margin,) = measured.to_json()["differences"]
    assert margin["value"] is None
    assert margin["reason"] == "they read the pieces as different tokens"
    expected = -float(model.log_probs(np.array([[0, 1, 0, 0]]))[0, range(4), [0, 1, 0, 0]].sum())
    assert system["metrics"]["nats_per_step"]["value"] == pytest.approx(expected / 4, abs=2e-6)


def test_what_cannot_be_measured_is_refused(ngram: Path, folder: Path, tmp_path: Path) -> None:
    for word in ("ngram", str(folder)):
        with pytest.raises(UsageError, match="only models have likelihoods") as refused:
            measure_likelihoods([word], folder)
        assert refused.value.hint
    with pytest.raises(UsageError):
        measure_likelihoods([], folder)
    with pytest.raises(CorpusError):
        measure_likelihoods([str(ngram)], tmp_path / "missing")
    (tmp_path / "broken.safetensors").write_bytes(b"hello")
    with pytest.raises(BundleError):
        measure_likelihoods([str(tmp_path / "broken.safetensors")], folder)
    events = EventsEncoding(("C9",))
    model = NGram.fit([np.array([0])], 1)
    Bundle(model.options, ngram_arrays(model), events.description()).save(tmp_path / "far.safetensors")
    write(Melody.from_pitches([(61, 24), (63, 24)]), tmp_path / "test" / "a.mid")
    with pytest.raises(CorpusError, match="no token for any note"):
        measure_likelihoods([str(tmp_path / "far.safetensors")], tmp_path / "test")
