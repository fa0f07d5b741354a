"""The LSTM that learns in bfloat16: its gradients are those of torch's in float32, but for rounding."""

import numpy as np
import pytest
import torch
from torch import nn

from cantilena.models import Network, NetworkOptions
from cantilena.models.network.recurrence import WIDE, dropout, lstm, needs_own_gradient

ROUNDING = 0.02
"""bfloat16 keeps 8 bits: a product is off by 0.4 %, a few on end by little more."""


def apart(one, other):
    one, other = one.detach().float(), other.detach().float()
    return float((one - other).norm() / other.norm().clamp_min(1e-9))


def learned(compute, core, told, state):
    """Everything that forward and backward give, with a loss that hears every step and the last state."""
    told, state = told.clone().requires_grad_(), tuple(part.clone().requires_grad_() for part in state)
    core.zero_grad()
    hidden, (h, c) = compute(told, state)
    weights = torch.linspace(-1.0, 1.0, hidden.numel()).view(hidden.shape)
    ((hidden.float() * weights).mean() + h.float().square().mean() + c.float().square().mean()).backward()
    grads = {"told": told.grad, "h": state[0].grad, "c": state[1].grad}
    grads |= {name: weight.grad.clone() for name, weight in core.named_parameters()}
    return {"hidden": hidden.detach(), "last h": h.detach(), "last c": c.detach(), **grads}


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize(
    ("melodies", "steps", "below", "width", "layers"),
    [(5, 9, 7, 16, 1), (3, 20, 12, 24, 3), (1, 1, 1, 8, 2), (1, 40, 1, 32, 1), (4, 5, 32, 1024, 2)],
)
def test_it_equals_torch_in_float32(melodies, steps, below, width, layers):
    torch.manual_seed(2)
    core = nn.LSTM(below, width, layers, batch_first=True)
    told, state = torch.randn(melodies, steps, below), torch.randn(2, layers, melodies, width).mul(0.3).unbind()
    expected = learned(core, core, told, state)
    found = learned(lambda *given: lstm(core, *given), core, told, state)
    assert {name: apart(found[name], value) for name, value in expected.items()} == dict.fromkeys(
        expected, pytest.approx(0.0, abs=ROUNDING)
    )


def test_the_state_goes_on_from_part_to_part():
    core = nn.LSTM(6, 16, 2, batch_first=True)
    told = torch.randn(3, 10, 6)
    whole, (h, c) = lstm(core, told)
    first, state = lstm(core, told[:, :4])
    second, (last_h, last_c) = lstm(core, told[:, 4:], state)
    assert apart(torch.cat([first, second], dim=1), whole) < ROUNDING
    assert apart(last_h, h) < ROUNDING
    assert apart(last_c, c) < ROUNDING


def test_no_melody_and_no_step_give_nothing_and_leave_the_state():
    core = nn.LSTM(6, 16, 2, batch_first=True)
    hidden, (h, _) = lstm(core, torch.zeros(0, 5, 6))
    assert (hidden.shape, h.shape) == ((0, 5, 16), (2, 0, 16))
    state = torch.ones(2, 3, 16), torch.full((2, 3, 16), 2.0)
    hidden, (h, c) = lstm(core, torch.zeros(3, 0, 6), state)
    assert hidden.shape == (3, 0, 16)
    assert torch.equal(h.float(), state[0])
    assert torch.equal(c, state[1])


@pytest.mark.parametrize(("core", "width", "ours"), [("lstm", WIDE, True), ("lstm", 64, False), ("gru", WIDE, False)])
def test_only_wide_lstms_in_bfloat16_on_a_processor_take_it(core, width, ours):
    network = Network(NetworkOptions(core=core, width=width, embedding=8), 9)
    assert not needs_own_gradient(network.core, torch.device("cpu"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert needs_own_gradient(network.core, torch.device("cpu")) is ours
        assert not needs_own_gradient(network.core, torch.device("cuda"))
        with torch.no_grad():
            assert not needs_own_gradient(network.core, torch.device("cpu"))
    with torch.autocast("cpu", dtype=torch.float16):
        assert not needs_own_gradient(network.core, torch.device("cpu"))


@pytest.mark.parametrize(
    "named",
    [
        {"layers": 2, "width": 1024, "embedding": 16, "look_back": ()},
        {"layers": 2, "width": WIDE, "input": "paper", "window": 3},
        pytest.param({"layers": 3, "width": 1024, "embedding": 16, "look_back": ()}, marks=pytest.mark.slow),
        pytest.param({"layers": 3, "width": 1024, "input": "paper", "window": 6}, marks=pytest.mark.slow),
    ],
)
def test_the_papers_width_learns_from_true_gradients(named):
    network = Network(NetworkOptions(dropout=0.0, **named), 12, seed=1).train()
    tokens = np.random.default_rng(1).integers(0, 12, (4, 6) if named["layers"] == 3 else (3, 4))
    grads = []
    for enabled in (False, True):
        network.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            log_probs = network.log_probs(tokens)
        log_probs[..., 3].mean().backward()
        grads.append({name: weight.grad.clone() for name, weight in network.named_parameters()})
    for name, grad in grads[0].items():
        assert apart(grads[1][name], grad) < 2 * ROUNDING, name


@pytest.mark.parametrize("values", [torch.ones(400, 500), torch.ones(200_001), torch.ones(300, 600).to(torch.bfloat16)])
def test_dropout_drops_its_share_and_keeps_the_mean(values):
    torch.manual_seed(1)
    kept = dropout(values, 0.4, training=True)
    assert kept.dtype == values.dtype
    assert float((kept == 0).float().mean()) == pytest.approx(0.4, abs=0.006)  # five standard errors
    assert float(kept.float().mean()) == pytest.approx(1.0, abs=0.015)
    assert len(kept.unique()) == 2


def test_dropout_asks_the_global_generator_and_each_value_by_itself():
    torch.manual_seed(1)
    first, second = (dropout(torch.ones(100_000), 0.5, training=True) for _ in range(2))
    torch.manual_seed(1)
    assert torch.equal(dropout(torch.ones(100_000), 0.5, training=True), first)
    assert not torch.equal(first, second)
    lanes = (first == 0).double().view(-1, 4)  # the four that one random number decides are independent
    assert np.abs(np.corrcoef(lanes.numpy().T) - np.eye(4)).max() < 0.03


@pytest.mark.parametrize("share", [0.0, 1e-9, 0.999999])
def test_dropout_at_its_limits_stays_a_number(share):
    kept = dropout(torch.ones(1000), share, training=True)
    assert torch.isfinite(kept).all()
    assert dropout(kept, share, training=False) is kept
    assert dropout(torch.ones(0, 4), share, training=True).shape == (0, 4)


def test_gradients_flow_through_what_dropout_kept():
    values = torch.ones(1000, requires_grad=True)
    kept = dropout(values, 0.3, training=True)
    kept.sum().backward()
    assert torch.equal(values.grad, kept.detach())
