"""A VAE: numpy says what torch says, bounds lie below what is exact, and no file passes for what it is not."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import torch

from cantilena.errors import BundleError, CorpusError, UsageError
from cantilena.models import (
    Bars,
    Bundle,
    MelodyVae,
    Sequences,
    VaeDecoder,
    VaeNetwork,
    VaeOptions,
    Windows,
    begins_window,
    bound,
    free_bits_penalty,
    greedy_decode,
    kl_divergences,
    likelihood,
    onnx_bytes,
    reconstruction,
    vae_parameters,
    vae_shapes,
)
from cantilena.tokenizers import EventsEncoding, GridEncoding

SHAPE = VaeOptions(latent=6, encoder=9, width=10, embedding=8, reading=3, plan=5, hidden=12, dropout=0.0)
GRID = GridEncoding()
RNG = np.random.default_rng(5)
PIECES = Sequences.from_tokens(
    [RNG.integers(0, 38, steps) for steps in (70, 33, 5, 130)], Bars(np.array([16, 12, 16, 30]), np.array([4, 0, 2, 3]))
)


def network(shape: VaeOptions = SHAPE, vocabulary: int = 38, spread: float = 0.15) -> VaeNetwork:
    """Weights far enough from 0 that every part of the network is heard."""
    made, rng = VaeNetwork(shape, vocabulary), np.random.default_rng(7)
    return made.load_weights(
        {name: rng.normal(0, spread, size) for name, size in vae_shapes(shape, vocabulary).items()}
    )


NETWORK = network()
VAE = MelodyVae(SHAPE, NETWORK.numpy_weights())


def test_the_shapes_that_are_foretold_are_those_of_the_network() -> None:
    found = {name: weight.shape for name, weight in VaeNetwork(SHAPE, 38).numpy_weights().items()}
    assert found == vae_shapes(SHAPE, 38)
    assert vae_parameters(SHAPE, 38) == sum(weight.numel() for weight in NETWORK.parameters())


def test_numpy_says_what_torch_says() -> None:
    windows = Windows.from_sequences(PIECES, SHAPE.bars).sequences
    assert (windows.lengths > SHAPE.steps).any()  # steps beyond those told apart, too
    tokens = windows.padded(range(len(windows)))
    counts = np.arange(tokens.shape[1])[None, :] < windows.lengths[:, None]
    with torch.no_grad():
        mean, log_variance = NETWORK.posterior(tokens, windows.lengths, windows.bars)
        theirs = NETWORK.scores(mean, tokens, windows.bars).log_softmax(-1).numpy()
    own_mean, own_variance = VAE.posterior(tokens, windows.lengths, windows.bars)
    np.testing.assert_allclose(own_mean, mean.numpy(), atol=1e-5)
    np.testing.assert_allclose(own_variance, log_variance.numpy(), atol=1e-5)
    ours = VaeDecoder(VAE, own_mean[:, None]).log_probs(tokens, bars=windows.bars)
    np.testing.assert_allclose(ours[counts], theirs[counts], atol=1e-5)


def test_what_stands_after_a_window_does_not_change_its_code() -> None:
    long = np.array([5, 9])
    tokens = RNG.integers(0, 38, (2, 9))
    other = tokens.copy()
    other[0, 5:] = 7
    bars = Bars.common_time(2)
    with torch.no_grad():
        of_torch = [NETWORK.posterior(some, long, bars)[0].numpy() for some in (tokens, other)]
    np.testing.assert_array_equal(*of_torch)
    np.testing.assert_array_equal(*(VAE.posterior(some, long, bars)[0] for some in (tokens, other)))
    alone = VAE.posterior(tokens[:1, :5], long[:1], bars[:1])[0]
    np.testing.assert_allclose(alone[0], VAE.posterior(tokens, long, bars)[0][0], atol=1e-6)


def test_a_piece_is_its_windows_one_after_the_other() -> None:
    windows = Windows.from_sequences(PIECES, SHAPE.bars)
    assert np.concatenate(windows.sequences.tokens).tolist() == np.concatenate(PIECES.tokens).tolist()
    for number in range(len(PIECES)):
        bars = PIECES.bars[number : number + 1]
        of_piece = windows.piece == number
        codes = VAE.encode(PIECES.tokens[number], bars)
        assert len(codes) == of_piece.sum() == VAE.count_windows(len(PIECES.tokens[number]), bars)
        whole = VaeDecoder(VAE, codes[None]).log_probs(PIECES.tokens[number][None], bars=bars)[0]
        parts = [
            VaeDecoder(VAE, code[None, None]).log_probs(
                windows.sequences.tokens[row][None], bars=windows.sequences.bars[row : row + 1]
            )[0]
            for code, row in zip(codes, np.flatnonzero(of_piece), strict=True)
        ]
        np.testing.assert_allclose(whole, np.concatenate(parts), atol=1e-5)


def test_windows_begin_at_barlines_and_the_pickup_belongs_to_the_first() -> None:
    bars = Bars(np.array([16, 12]), np.array([4, 0]))
    begins = [begins_window(clock, bars, 2).tolist() for clock in range(70)]
    assert [clock for clock, (first, _) in enumerate(begins) if first] == [0, 36, 68]
    assert [clock for clock, (_, second) in enumerate(begins) if second] == [0, 24, 48]


def test_a_step_at_a_time_is_the_whole_sequence() -> None:
    tokens, codes = RNG.integers(0, 38, (3, 50)), RNG.normal(size=(3, 2, SHAPE.latent)).astype(np.float32)
    decoding = VaeDecoder(VAE, codes)
    log_p, state = decoding.start(3)
    rows = [log_p]
    for step in range(49):
        log_p, state = decoding.step(tokens[:, step], state)
        rows.append(log_p)
    np.testing.assert_allclose(np.stack(rows, axis=1), decoding.log_probs(tokens), atol=1e-6)
    with pytest.raises(UsageError, match="2 melodies with codes for 3"):
        decoding.start(2)


def test_free_bits_by_hand() -> None:
    mean, log_variance = torch.tensor([[1.0, 0.0, 0.2]]), torch.tensor([[0.0, math.log(2.0), 0.0]])
    by_hand = [0.5, 0.5 * (2.0 - 1.0 - math.log(2.0)), 0.02]
    found = kl_divergences(mean, log_variance)
    assert found[0].tolist() == pytest.approx(by_hand)
    # max(0.1, 0.5) + max(0.1, 0.153) + max(0.1, 0.02)
    assert free_bits_penalty(found, 0.1).item() == pytest.approx(by_hand[0] + by_hand[1] + 0.1)
    two = torch.tensor([[0.0, 1.0], [0.6, 0.0]])  # the mean over the batch is what is held to the free bits
    assert free_bits_penalty(two, 0.4).item() == pytest.approx(0.4 + 0.5)


def test_numbers_under_their_free_bits_are_not_pulled_at() -> None:
    mean = torch.tensor([[0.1, 3.0]], requires_grad=True)
    free_bits_penalty(kl_divergences(mean, torch.zeros(1, 2)), 0.5).backward()
    assert mean.grad is not None
    assert mean.grad[0].tolist() == [0.0, 3.0]


TINY = VaeOptions(bars=1, latent=1, encoder=3, width=4, embedding=3, reading=2, plan=2, hidden=4, dropout=0.0)


def exact(vae: MelodyVae, windows: np.ndarray) -> np.ndarray:
    """ln p(x) of each window, its one number of code summed up on a fine grid from -9 to 9."""
    grid = np.linspace(-9.0, 9.0, 721)
    density = np.exp(-0.5 * grid**2) / math.sqrt(2 * math.pi)
    values = []
    for tokens in windows:
        rows = np.tile(tokens, (len(grid), 1))
        log_p = VaeDecoder(vae, grid[:, None, None].astype(np.float32)).log_probs(rows)
        said = np.take_along_axis(log_p, rows[..., None], axis=-1)[..., 0].astype(np.float64).sum(axis=1)
        values.append(math.log(np.trapezoid(np.exp(said) * density, grid)))
    return np.array(values)


def test_bounds_lie_below_what_is_exact_where_all_windows_can_be_counted() -> None:
    weights = network(TINY, 3, spread=0.7).numpy_weights()
    weights["posterior.weight"] *= 0.5
    weights["posterior.bias"][:] = 0.0  # so that q is wide enough to find where p(x | z) is high
    vae = MelodyVae(TINY, weights)
    windows = np.array(list(product(range(3), repeat=3)))
    true = exact(vae, windows)
    assert np.exp(true).sum() == pytest.approx(1.0, abs=1e-4)  # it is a distribution over all 27
    found = bound(vae, Sequences.from_tokens(windows), 2000, np.random.default_rng(1))
    assert (-found.elbo < true + 1e-3).all()
    assert (-found.weighted >= -found.elbo - 1e-9).all()
    assert (found.elbo + true > 0.01).any()  # not because they are all the same
    np.testing.assert_allclose(-found.weighted, true, atol=0.5)
    assert np.exp(-found.weighted).sum() == pytest.approx(1.0, abs=0.05)
    few = [
        bound(vae, Sequences.from_tokens(windows), 2, np.random.default_rng(seed)).weighted.sum() for seed in range(40)
    ]
    assert np.mean(few) > -true.sum()
    assert np.mean(few) > found.weighted.sum()  # the tighter the more codes


def test_the_bound_of_a_piece_is_that_of_its_windows_and_is_called_a_bound() -> None:
    found = likelihood(VAE, PIECES)
    assert found.is_bound
    windows = Windows.from_sequences(PIECES, SHAPE.bars)
    parts = bound(VAE, windows.sequences, 16, np.random.default_rng(0)).weighted
    np.testing.assert_allclose(found.nats, [parts[windows.piece == number].sum() for number in range(4)])
    np.testing.assert_array_equal(found.nats, likelihood(VAE, PIECES).nats)
    with pytest.raises(CorpusError, match="no piece"):
        bound(VAE, Sequences.from_tokens([]), 4, np.random.default_rng(0))


def test_active_numbers_are_those_whose_mean_varies() -> None:
    weights = NETWORK.numpy_weights()
    weights["posterior.weight"][2] = 0.0  # the third number says the same of every window
    weights["posterior.weight"][0] *= 30.0
    found = bound(MelodyVae(SHAPE, weights), Windows.from_sequences(PIECES, 2).sequences, 1, np.random.default_rng(0))
    varied = found.means.var(axis=0)
    assert varied[2] == pytest.approx(0.0, abs=1e-10)
    assert varied[0] > 0.01
    assert found.active == np.mean(varied > 0.01)


def test_what_comes_back_is_counted_by_steps_bars_and_windows() -> None:
    windows = Windows.from_sequences(
        Sequences.from_tokens([RNG.integers(0, 38, 40)], Bars(np.array([16]), np.array([4]))), 2
    ).sequences
    codes = VAE.posterior(windows.padded([0, 1]), windows.lengths, windows.bars)[0]
    said = greedy_decode(VAE, codes, 36, windows.bars)
    right = Sequences((said[0].copy(), said[1, :4]), windows.bars)

    class Knows(MelodyVae):
        def posterior(self, tokens, lengths, bars):  # type: ignore[no-untyped-def]
            return codes[np.where(lengths == 4, 1, 0)], np.zeros_like(codes)

    vae = Knows(SHAPE, NETWORK.numpy_weights())
    assert reconstruction(vae, right) == type(reconstruction(vae, right))(1.0, 1.0, 1.0)
    right.tokens[0][6] = (right.tokens[0][6] + 1) % 38  # in the first bar after the pickup: three bars and a last one
    one_wrong = reconstruction(vae, right)
    assert (one_wrong.windows, one_wrong.bars) == (0.5, 0.75)


def bundle(**changes: object) -> Bundle:
    fields = {"encoding_description": GRID.description(), "provenance": {"plain_keys": True}, **changes}
    return Bundle(SHAPE, NETWORK.numpy_weights(), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("half", [False, True])
def test_everything_comes_back_from_the_file(tmp_path: Path, *, half: bool) -> None:
    bundle().save(tmp_path / "a.safetensors", half=half)
    loaded = Bundle.load(tmp_path / "a.safetensors")
    assert loaded.options == SHAPE
    model = loaded.model()
    assert isinstance(model, MelodyVae)
    tokens = PIECES.tokens[0]
    found, expected = (one.encode(tokens, PIECES.bars[:1]) for one in (model, VAE))
    np.testing.assert_allclose(found, expected, atol=2e-3 if half else 0)
    with safetensors.safe_open(tmp_path / "a.safetensors", framework="numpy") as file:
        assert json.loads(file.metadata()["cantilena"])["format"] == 7


def test_it_composes_and_varies_without_torch(tmp_path: Path) -> None:
    bundle().save(tmp_path / "a.safetensors")
    code = f"""
import sys
sys.modules["torch"] = None
from cantilena.generation import load, read_primer
composer = load({str(tmp_path / "a.safetensors")!r})
composer.compose(bars=4)
composer.vary(read_primer("C4 E4 G4 C5"), amount=0.5)
composer.interpolate(read_primer("C4 E4 G4 C5"), read_primer("C5 B4 A4 G4"), steps=3)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


LIES = {
    "odd option": (lambda record, arrays: record["options"].update(beams=3), "unknown 'beams'"),
    "float latent": (lambda record, arrays: record["options"].update(latent=6.0), "not a int"),
    "no latent": (lambda record, arrays: record["options"].update(latent=0), "make no VAE"),
    "huge": (lambda record, arrays: record["options"].update(width=10**9), "make no VAE"),
    "wider": (lambda record, arrays: record["options"].update(width=2048), "have shape"),
    "network": (lambda record, arrays: record.update(format=1), "options"),
    "tuned": (lambda record, arrays: record.update(tuned=True), "other weights"),
    "policy": (lambda record, arrays: record.update(policy="psi"), "tuned or blended"),
    "missing": (lambda record, arrays: arrays.pop("weights.head.bias"), "lacks"),
    "more": (lambda record, arrays: arrays.update({"weights.tail": np.zeros(3, np.float32)}), "has the weights"),
    "integers": (lambda record, arrays: arrays.update({"weights.head.bias": np.zeros(38, np.int64)}), "type I64"),
    "infinite": (lambda record, arrays: arrays["weights.head.bias"].fill(np.inf), "not all finite"),
    "blended": (lambda record, arrays: record.update(ngram={}), "other weights"),
}


@pytest.mark.parametrize("lie", LIES)
def test_files_that_lie_are_refused(tmp_path: Path, lie: str) -> None:
    path = tmp_path / "a.safetensors"
    bundle().save(path)
    arrays = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, framework="numpy") as file:
        record = json.loads(file.metadata()["cantilena"])
    change, wrong = LIES[lie]
    change(record, arrays)
    safetensors.numpy.save_file(arrays, path, metadata={"cantilena": json.dumps(record)})
    with pytest.raises(BundleError, match=wrong):
        Bundle.load(path)


def test_a_vae_of_notes_without_time_is_refused() -> None:
    events = EventsEncoding(tuple(str(number) for number in range(12)))
    with pytest.raises(BundleError, match="without time"):
        Bundle(SHAPE, network(vocabulary=len(events.vocabulary)).numpy_weights(), events.description())


def test_what_a_vae_is_not_is_said_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="holds no network"):
        bundle().network()
    with pytest.raises(UsageError, match="is a VAE"):
        onnx_bytes(bundle())
    model = bundle().model()
    for asked in (lambda: model.start(2), lambda: model.step(0, None), lambda: model.log_probs(np.zeros((1, 3), int))):
        with pytest.raises(UsageError, match="no exact probabilities"):
            asked()
    with pytest.raises(UsageError, match="latent of a VAE is 0"):
        VaeOptions(latent=0)
    with pytest.raises(UsageError, match="dropout"):
        VaeOptions(dropout=1.0)
