"""The Transformer: torch's own layers, numpy and steps agree; parts, lengths, causality; bundles that lie."""

import copy
import json

import numpy as np
import pytest
import safetensors.numpy
import torch
from torch import nn

from cantilena.errors import BundleError, UsageError
from cantilena.generation import Composer
from cantilena.models import Blend, Bundle, Network, NetworkOptions, NGram, NGramPart, NumpyNetwork, ngram_arrays
from cantilena.models.network.kv_cache import KVCache
from cantilena.models.network.transformer import Transformer, slopes
from cantilena.tokenizers import GridEncoding

OPTIONS = NetworkOptions(core="transformer", layers=3, width=12, heads=3, embedding=10)
TOKENS = np.random.default_rng(0).integers(0, 4, (3, 50))


def lively(options=OPTIONS, vocabulary_size=38):
    """A network none of whose weights is 0 or 1, as layer norms begin."""
    network = Network(options, vocabulary_size, seed=3)
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=noise))
    return network


def stepped(model, tokens):
    log_p, state = model.start(len(tokens))
    found = [np.asarray(log_p)]
    for step in range(tokens.shape[1] - 1):
        log_p, state = model.step(tokens[:, step], state)
        found.append(np.asarray(log_p))
    return np.stack(found, axis=1)


@pytest.mark.parametrize("max_context", [1, 7, 2048])
def test_it_is_torchs_own_transformer_with_distances(max_context):
    core = lively(
        NetworkOptions(core="transformer", layers=2, width=8, heads=2, embedding=6, max_context=max_context)
    ).core
    vectors = torch.randn(3, 20, 6, generator=torch.Generator().manual_seed(5))
    distance = torch.arange(20)[:, None] - torch.arange(20)[None, :]
    bias = torch.stack([-m * distance for m in (2.0**-4, 2.0**-8)])
    bias = bias.masked_fill((distance < 0) | (distance >= max_context), -torch.inf).repeat(3, 1, 1)
    x = core.below(vectors)
    for ours in core.layers:
        gelu = nn.GELU(approximate="tanh")
        layer = nn.TransformerEncoderLayer(8, 2, 32, 0.0, gelu, batch_first=True, norm_first=True)
        layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias = ours.look.weight, ours.look.bias
        layer.self_attn.out_proj = ours.mix
        layer.norm1, layer.norm2, layer.linear1, layer.linear2 = ours.norm, ours.feed_norm, ours.widen, ours.narrow
        x = layer(x, src_mask=bias)
    torch.testing.assert_close(core(vectors)[0], core.norm(x), atol=1e-5, rtol=1e-5)


def test_slopes_are_those_that_were_published():
    assert slopes(8).tolist() == [2.0**-h for h in range(1, 9)]  # Press, Smith and Lewis 2022, section 3


@pytest.mark.parametrize("max_context", [1, 11, 2048])
@pytest.mark.parametrize("repeat_features", [0, 2])
def test_numpy_and_steps_say_the_same(max_context, repeat_features):
    options = NetworkOptions(
        core="transformer",
        layers=2,
        width=12,
        heads=3,
        embedding=10,
        max_context=max_context,
        repeat_features=repeat_features,
    )
    network = lively(options)
    plain, whole = NumpyNetwork(options, network.numpy_weights()), network.log_probs(TOKENS).detach().numpy()
    np.testing.assert_allclose(plain.log_probs(TOKENS), whole, atol=1e-5)
    np.testing.assert_allclose(stepped(network, TOKENS), whole, atol=1e-5)
    np.testing.assert_allclose(stepped(plain, TOKENS), whole, atol=1e-5)
    assert plain.log_probs(TOKENS).dtype == np.float32


def test_far_longer_than_a_stretch_and_than_the_reach():
    options = NetworkOptions(core="transformer", width=8, heads=2, embedding=6, max_context=40)
    network, long = lively(options, 6), np.random.default_rng(2).integers(0, 6, (2, 700))
    whole = network.log_probs(long).detach().numpy()
    np.testing.assert_allclose(stepped(network, long), whole, atol=2e-5)
    np.testing.assert_allclose(NumpyNetwork(options, network.numpy_weights()).log_probs(long), whole, atol=2e-5)


@pytest.mark.parametrize("max_context", [1, 7, 50, 300])
def test_parts_equal_the_whole_and_memory_is_bounded(max_context):
    network = lively(NetworkOptions(core="transformer", layers=2, width=12, embedding=10, max_context=max_context))
    rows = torch.from_numpy(network.features.encode(TOKENS))
    whole, _ = network(rows)
    parts, state = [], None
    for first in range(0, 50, 9):
        scores, state = network(rows[:, first : first + 9], state)
        parts.append(scores)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-5)
    assert [past.shape for past in state] == [(2, 3, 4, min(max_context, 50), 3)] * 2


def test_the_future_is_not_heard_and_the_past_is():
    network = lively(NetworkOptions(core="transformer", layers=2, width=12, embedding=10, look_back=()))
    changed = TOKENS.copy()
    changed[:, 20] = 7
    before, after = network.log_probs(TOKENS), network.log_probs(changed)
    torch.testing.assert_close(before[:, :21], after[:, :21], atol=0, rtol=0)
    assert (before[:, 21:] != after[:, 21:]).any(-1).all()  # to the last step


def test_nothing_beyond_the_reach_is_heard():
    # One layer that reaches 5 steps back: token 20 is told at step 21, and last heard at step 25.
    network = lively(NetworkOptions(core="transformer", width=12, embedding=10, max_context=5, look_back=()))
    changed = TOKENS.copy()
    changed[:, 20] = 7
    same = (network.log_probs(TOKENS) == network.log_probs(changed)).all(-1).all(0)
    assert same.tolist() == [step not in range(21, 26) for step in range(50)]


def test_every_weight_gets_a_gradient():
    network = lively()
    network.log_probs(TOKENS)[:, :, 2].sum().backward()
    for name, weight in network.named_parameters():
        assert torch.isfinite(weight.grad).all()
        assert weight.grad.abs().sum() > 0, name


def test_dropout_only_while_it_learns():
    network = lively()
    assert torch.equal(network.log_probs(TOKENS), network.log_probs(TOKENS))
    network.train()
    assert not torch.equal(network.log_probs(TOKENS), network.log_probs(TOKENS))
    _, state = network.start(3)  # who composes while it learns hears the whole network
    once, _ = network.step(TOKENS[:, 0], state)
    np.testing.assert_allclose(once, network.eval().log_probs(TOKENS).detach()[:, 1], atol=1e-5)


@pytest.mark.parametrize("make", [lambda network: network, lambda n: NumpyNetwork(n.options, n.numpy_weights())])
def test_a_state_outlives_an_update_and_can_be_continued_twice(make):
    network = lively()
    model = make(network)
    _, state = model.start(3)
    for step in range(40):  # beyond the room that there is at first
        once, after = model.step(TOKENS[:, step], state)
        model.step(TOKENS[:, step] + 1, state)  # another way on, heard by nobody
        again, _ = model.step(TOKENS[:, step], state)
        np.testing.assert_array_equal(once, again)
        state = after
    np.testing.assert_allclose(once, network.log_probs(TOKENS).detach()[:, 40], atol=1e-5)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2.0)
    np.testing.assert_array_equal(model.step(TOKENS[:, 39], state)[0], model.step(TOKENS[:, 39], state)[0])


def test_a_torch_state_keeps_the_weights_of_its_start():
    network = lively()
    _, state = network.start(2)
    once, _ = network.step(np.array([1, 2]), state)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2.0)
    again, _ = network.step(np.array([1, 2]), state)
    assert torch.equal(once, again)


@pytest.mark.parametrize("make", [np.zeros, torch.zeros])
def test_kept_keys_are_the_last_ones_and_no_step_copies_all(make):
    state, rooms = KVCache.empty(make((2, 1, 1, 1, 1))), set()
    kept = [state]
    for step in range(1000):
        state = state.append(make((2, 1, 1, 1, 1)) + step, max_context=60)
        rooms.add(id(state.buffer))
        kept = [*kept[-5:], state]
        assert state.last(60)[0].ravel().tolist() == list(range(max(0, step - 59), step + 1))
    assert len(rooms) < 20
    assert [old.last(2)[1].ravel().tolist() for old in kept] == [[float(s - 1), float(s)] for s in range(994, 1000)]
    assert state.buffer.array.shape[3] <= 120  # memory does not grow beyond twice the reach


def test_no_melody_one_step_and_huge_weights_are_harmless():
    network = lively()
    plain = NumpyNetwork(OPTIONS, network.numpy_weights())
    assert network.log_probs(np.array([[5]])).shape == (1, 1, 38)
    assert network.log_probs(np.zeros((0, 4), dtype=np.int64)).shape == (0, 4, 38)
    for model in (network, plain):
        log_p, state = model.start(0)
        assert log_p.shape == (0, 38)
        assert model.step(np.zeros(0, dtype=np.int64), state)[0].shape == (0, 38)
    huge = {name: weight * 1e4 for name, weight in network.numpy_weights().items()}
    assert np.isfinite(NumpyNetwork(OPTIONS, huge).log_probs(TOKENS)).all()
    assert torch.isfinite(Network(OPTIONS, 38).load_weights(huge).log_probs(TOKENS)).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"heads": 5}, "width 12 and 5 heads"),
        ({"heads": 0}, "0 heads do"),
        ({"heads": -1}, "-1 heads do"),
        ({"heads": 10**6}, "heads"),
        ({"input": "paper"}, "paper's input"),
        ({"copy_head": True}, "attends or copies"),
        ({"attention": 4}, "attends or copies"),
        ({"core": "lstm", "heads": 3}, "heads with the core lstm"),
    ],
)
def test_impossible_transformers_are_refused_with_advice(wrong, said):
    with pytest.raises(UsageError, match=said) as caught:
        NetworkOptions(**{"core": "transformer", "width": 12, **wrong})
    assert caught.value.hint


def bundle(**fields):
    weights = lively().numpy_weights()
    return Bundle(OPTIONS, weights, GridEncoding().description(), provenance={"plain_keys": True}, **fields)


def described(path):
    with safetensors.safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["cantilena"])


def rewritten(path, edit, tensors=None):
    record = described(path)
    edit(record)
    held = safetensors.numpy.load_file(path) if tensors is None else tensors
    safetensors.numpy.save_file(held, path, metadata={"cantilena": json.dumps(record)})


def test_a_bundle_comes_back_and_no_earlier_cantilena_takes_it(tmp_path):
    path = tmp_path / "a.safetensors"
    bundle(prior_weights=Network(OPTIONS, 38).numpy_weights(), policy="softmax-q").save(path)
    loaded = Bundle.load(path)
    assert loaded.options == OPTIONS
    np.testing.assert_allclose(loaded.network().log_probs(TOKENS).detach(), loaded.model().log_probs(TOKENS), atol=1e-5)
    assert described(path)["format"] == 6  # one that reads fewer says so, and that it should be updated
    loaded.save(tmp_path / "b.safetensors")
    assert path.read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_recurrent_networks_are_written_as_before(tmp_path):
    for options, number in ((NetworkOptions(width=8), 1), (NetworkOptions(width=8, repeat_features=1), 3)):
        weights = Network(options, 38).numpy_weights()
        Bundle(options, weights, GridEncoding().description()).save(tmp_path / "a.safetensors")
        assert described(tmp_path / "a.safetensors")["format"] == number
        assert "heads" not in described(tmp_path / "a.safetensors")["options"]


def test_a_blend_comes_back(tmp_path):
    pieces = list(np.random.default_rng(1).integers(0, 38, (20, 40)))
    counted = NGram.fit(pieces, 38).tune(pieces[:4])
    blended = bundle(ngram=NGramPart(counted.options, ngram_arrays(counted), 0.25))
    path = tmp_path / "a.safetensors"
    blended.save(path)
    assert described(path)["format"] == 6
    loaded = Bundle.load(path)
    assert isinstance(loaded.model(), Blend)
    np.testing.assert_array_equal(loaded.model().log_probs(TOKENS), blended.model().log_probs(TOKENS))
    rewritten(path, lambda record: record.pop("ngram"))
    with pytest.raises(BundleError, match="other weights than it says"):
        Bundle.load(path)


LIES = {
    "first format": (lambda r: (r.update(format=1), *map(r["options"].pop, LATER)), "knows no core 'transformer'"),
    "third format": (lambda r: (r.update(format=3), *map(r["options"].pop, LATEST)), "knows no core 'transformer'"),
    "third with heads": (lambda r: (r.update(format=3), *map(r["options"].pop, LATEST[1:])), "unknown 'heads'"),
    "no heads": (lambda r: r["options"].pop("heads"), "lack 'heads'"),
    "heads that do not divide": (lambda r: r["options"].update(heads=5), "make no network"),
    "no whole heads": (lambda r: r["options"].update(heads=3.0), "not a int"),
    "deeper": (lambda r: r["options"].update(layers=4), "lacks the weights"),
    "shallower": (lambda r: r["options"].update(layers=2), "has the weights"),
    "wider": (lambda r: r["options"].update(width=15), "shape"),
    "lstm": (lambda r: r["options"].update(core="lstm", heads=4), "against its options"),
    "copies": (lambda r: r["options"].update(copy_head=True), "make no network"),
    "paper": (lambda r: r["options"].update(input="paper"), "make no network"),
    "blend without counts": (lambda r: r.update(ngram={}), "other weights than it says"),
}
LATEST = ("heads", "conditions", "styles")
LATER = ("echoes", "attention", "copy_head", "reach", *LATEST)


@pytest.mark.parametrize(("edit", "said"), LIES.values(), ids=LIES.keys())
def test_bundles_that_lie_are_refused(tmp_path, edit, said):
    path = tmp_path / "a.safetensors"
    bundle().save(path)
    rewritten(path, edit)
    with pytest.raises(BundleError) as caught:
        Bundle.load(path)
    assert said in caught.value.text
    assert "\n" not in caught.value.text
    assert caught.value.hint


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(lambda w: w[:5], "shape"), (lambda w: w.T.copy(), "shape"), (lambda w: w * np.float32(np.nan), "not all finite")],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, spoil, said):
    path = tmp_path / "a.safetensors"
    bundle().save(path)
    held = safetensors.numpy.load_file(path)
    held["weights.core.layers.1.look.weight"] = spoil(held["weights.core.layers.1.look.weight"])
    rewritten(path, lambda record: None, held)
    with pytest.raises(BundleError, match=said):
        Bundle.load(path)


def test_it_composes_the_same_again():
    made = Composer.from_bundle(bundle()).compose(events=300, seed=4)
    assert len(made.tokens) == 300
    assert np.isfinite(made.log_likelihood)
    assert made.tokens == Composer.from_bundle(bundle()).compose(events=300, seed=4).tokens


def test_it_can_be_copied_and_its_slopes_are_no_weights():
    network = lively()
    assert isinstance(network.core, Transformer)
    assert "core.slopes" not in network.state_dict()
    assert torch.equal(copy.deepcopy(network).log_probs(TOKENS), network.log_probs(TOKENS))
