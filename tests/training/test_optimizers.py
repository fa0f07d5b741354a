"""Optimizers without torch's compiler: the results are torch's, bit for bit."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMPARED = """
import sys, torch
from cantilena.training import optimizers

def weights(kind, fused):
    torch.manual_seed(1)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    for _ in range(2):  # the second goes on where the first ended
        optimizer = kind(network.parameters(), lr=0.01, weight_decay=0.1, fused=fused)
        if _:
            optimizer.load_state_dict(state)
        for _ in range(5):
            optimizer.zero_grad()
            network(torch.randn(16, 4)).square().mean().backward()
            optimizer.step()
        state = optimizer.state_dict()
    return [weight.detach().numpy().tobytes() for weight in network.parameters()]

ways = [(name, fused) for name in ("Adam", "AdamW") for fused in (None, True)]
ours = [weights(getattr(optimizers, name), fused) for name, fused in ways]
assert "torch._dynamo" not in sys.modules
assert ours == [weights(getattr(torch.optim, name), fused) for name, fused in ways]
assert ours[0] != ours[2]
"""


@pytest.mark.e2e
def test_weights_are_those_of_torchs_optimizers_without_the_import_of_its_compiler() -> None:
    subprocess.run([sys.executable, "-c", COMPARED], check=True)
