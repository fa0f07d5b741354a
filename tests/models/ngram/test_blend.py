"""A blend: its formula, its share, its steps, its bundle."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from cantilena.errors import BundleError, CorpusError, UsageError
from cantilena.models import (
    Bars,
    Blend,
    Bundle,
    Network,
    NetworkOptions,
    NGram,
    NGramPart,
    NumpyNetwork,
    SequenceModel,
    Sequences,
    TopTokens,
    likelihood,
    ngram_arrays,
)
from cantilena.tokenizers import GridEncoding, NotesEncoding, allowed_after

OPTIONS = NetworkOptions(width=8, embedding=8, repeat_features=1)
NETWORK = Network(OPTIONS, 38, seed=1)
LINES = np.random.default_rng(0).integers(0, 5, (3, 40))
NGRAM = NGram.fit(list(LINES), 38).tune(list(LINES))
BARS = Bars(np.array([16, 12, 5]), np.array([0, 4, 0]))


def some_bundle(**changes):
    part = NGramPart(NGRAM.options, ngram_arrays(NGRAM), 0.25)
    fields = {"weights": NETWORK.numpy_weights(), "ngram": part, **changes}
    return Bundle(options=OPTIONS, encoding_description=GridEncoding().description(), **fields)


def test_it_is_the_mixture_and_steps_as_it_reads():
    blend = Blend(NumpyNetwork(OPTIONS, NETWORK.numpy_weights()), NGRAM, 0.25)
    assert isinstance(blend, SequenceModel)
    assert blend.uses_bars
    whole = blend.log_probs(LINES, bars=BARS)
    by_network = np.exp(NETWORK.log_probs(LINES, bars=BARS).detach().numpy())
    np.testing.assert_allclose(np.exp(whole), 0.75 * by_network + 0.25 * np.exp(NGRAM.log_probs(LINES)), atol=1e-6)
    np.testing.assert_allclose(np.exp(whole).sum(-1), 1.0, atol=1e-5)
    log_p, state = blend.start(3, bars=BARS)
    for step in range(40):
        np.testing.assert_allclose(log_p, whole[:, step], atol=1e-5)
        log_p, state = blend.step(LINES[:, step], state)


def test_the_share_is_the_likeliest_one():
    pieces = Sequences.from_tokens(np.random.default_rng(1).integers(0, 7, (4, 40)))
    blend = Blend.fit(NETWORK, NGRAM, pieces)
    nats = likelihood(blend, pieces).nats_per_step
    others = [likelihood(Blend(NETWORK, NGRAM, share), pieces).nats_per_step for share in np.linspace(0, 1, 21)]
    assert nats <= min(others) + 1e-5
    assert 0 < blend.share < 1


def test_a_share_of_nothing_leaves_the_other_alone():
    np.testing.assert_allclose(Blend(NETWORK, NGRAM, 1.0).log_probs(LINES), NGRAM.log_probs(LINES), atol=1e-12)
    alone = Blend(NETWORK, NGRAM, 0.0).log_probs(LINES)
    np.testing.assert_allclose(alone, NETWORK.log_probs(LINES).detach().numpy(), atol=1e-6)


def test_what_the_network_of_notes_excludes_stays_excluded():
    notes = NotesEncoding()
    options = NetworkOptions(width=8, embedding=8, durations=notes.durations, pitches=36)
    network = NumpyNetwork(options, Network(options, len(notes.vocabulary), seed=2).numpy_weights())
    rng = np.random.default_rng(7)
    events = np.stack([rng.integers(1, 6, (4, 12)), rng.integers(17, 54, (4, 12))], axis=2).reshape(4, 24)
    lines = np.concatenate([events, np.zeros((4, 2), dtype=np.int64)], axis=1)
    ngram = NGram.fit(list(lines), len(notes.vocabulary), allowed=allowed_after(notes)).tune(list(lines))
    lengths = notes.ticks(lines)[:, -1]
    untold = Bars(np.full(4, 96), np.zeros(4, dtype=np.int64))
    for bars in (untold, replace(untold, length=lengths)):
        by_network, by_ngram = network.log_probs(lines, bars=bars), ngram.log_probs(lines)
        blend = Blend(network, ngram, 0.4)
        whole = blend.log_probs(lines, bars=bars)
        possible = by_network > -5000
        assert (whole[~possible] < -5000).all()
        np.testing.assert_allclose(np.exp(whole).sum(-1), 1.0, atol=1e-6)
        of_ngram = np.where(possible, np.exp(by_ngram), 0)
        of_ngram /= of_ngram.sum(-1, keepdims=True)
        np.testing.assert_allclose(np.exp(whole), 0.6 * np.exp(by_network) + 0.4 * of_ngram, atol=1e-6)
        log_p, state = blend.start(4, bars=bars)
        for step in range(lines.shape[1]):
            np.testing.assert_allclose(np.exp(log_p), np.exp(whole[:, step]), atol=1e-5)
            log_p, state = blend.step(lines[:, step], state)
        pieces = Sequences(tuple(lines), bars)
        fitted = Blend.fit(network, ngram, pieces)
        nats = [likelihood(Blend(network, ngram, share), pieces).nats_per_step for share in np.linspace(0, 1, 11)]
        assert likelihood(fitted, pieces).nats_per_step <= min(nats) + 1e-5
    assert np.exp(whole[:, 24, 0]).min() > 0.999  # at the given length the melodies end


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_impossible_blends_are_refused(share):
    with pytest.raises(UsageError):
        Blend(NETWORK, NGRAM, share)
    with pytest.raises(UsageError, match="2 tokens"):
        Blend(TopTokens(2, (0, 1)), NGRAM, 0.5)
    with pytest.raises(CorpusError):
        Blend.fit(NETWORK, NGRAM, Sequences.from_tokens([]))


@pytest.mark.e2e
def test_its_bundle_comes_back_and_composes_without_torch(tmp_path):
    path = tmp_path / "blend.safetensors"
    bundle = some_bundle()
    bundle.save(path)
    loaded = Bundle.load(path)
    np.testing.assert_array_equal(loaded.model().log_probs(LINES), bundle.model().log_probs(LINES))
    np.testing.assert_array_equal(loaded.prior().log_probs(LINES), bundle.model().log_probs(LINES))
    loaded.save(tmp_path / "again.safetensors")
    assert path.read_bytes() == (tmp_path / "again.safetensors").read_bytes()
    program = f"""
import sys
from pathlib import Path
from cantilena.models import Bundle
log_p, state = Bundle.load(Path({str(path)!r})).model().start(2)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_it_is_not_tuned():
    for ask in (some_bundle().network, some_bundle().network_options):
        with pytest.raises(UsageError, match="blends"):
            ask()
    with pytest.raises(BundleError, match="tuned"):
        some_bundle(policy="softmax-q")


EDITS = {
    "a share of text": (lambda record: record["ngram"].update(share="much"), "share"),
    "a share of two": (lambda record: record["ngram"].update(share=2.0), "share"),
    "no share": (lambda record: record["ngram"].pop("share"), "'ngram'"),
    "no n-gram": (lambda record: record.pop("ngram"), "lacks 'ngram'"),
    "no options": (lambda record: record["ngram"].update(options=[]), "'ngram'"),
    "an order of 99": (lambda record: record["ngram"]["options"].update(order=99), "n-gram"),
    "an earlier format": (lambda record: record.update(format=3), "unknown 'ngram'"),
}


@pytest.mark.parametrize(("edit", "said"), EDITS.values(), ids=EDITS.keys())
def test_blends_that_lie_are_refused(tmp_path, edit, said):
    path = tmp_path / "a.safetensors"
    some_bundle().save(path)
    with safetensors.safe_open(path, framework="numpy") as file:
        record = json.loads(file.metadata()["cantilena"])
    edit(record)
    held = safetensors.numpy.load_file(path)
    safetensors.numpy.save_file(held, path, metadata={"cantilena": json.dumps(record)})
    with pytest.raises(BundleError) as caught:
        Bundle.load(path)
    assert said in caught.value.text
    assert caught.value.hint


def test_damaged_counts_are_refused():
    arrays = {**ngram_arrays(NGRAM), "followers": np.full_like(NGRAM.tree.followers, 99)}
    with pytest.raises(BundleError, match="damaged"):
        some_bundle(ngram=NGramPart(NGRAM.options, arrays, 0.5))
