"""Tune a torch module of your own: here a causal convolution.

    python examples/own_model.py [--batches 300] [--updates 100] [--melodies 128] [--out runs/own-model]

A module needs only the methods of a `SequenceModel`: `vocabulary_size`; `log_probs` of whole melodies, with gradients;
and `start` and `step`, by which melodies are sampled token by token. `rloo` and `ppo` need no more to tune it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import cantilena

STEPS = 32


class Convolution(nn.Module):
    """Each token from the 31 before it, by five layers of dilated convolution."""

    def __init__(self, vocabulary_size: int, width: int = 96) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.tokens = nn.Embedding(vocabulary_size + 1, width)  # the last row is the start symbol
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 2, dilation=2**depth) for depth in range(5))
        self.head = nn.Linear(width, vocabulary_size)

    def log_probs(self, tokens: Any) -> Tensor:
        """`(melodies, steps, vocabulary)` log p of each of `(melodies, steps)` tokens given those before it."""
        known = torch.as_tensor(tokens, device=self.head.weight.device)
        return self._predict(known[:, :-1], known.shape[1])

    def start(self, melodies: int) -> tuple[Tensor, Any]:
        """`(melodies, vocabulary)` log p of the first token, and the state: the tokens so far."""
        state = torch.zeros(melodies, 0, dtype=torch.int64, device=self.head.weight.device)
        return self._predict(state, 1)[:, -1], state

    def step(self, tokens: Any, state: Tensor) -> tuple[Tensor, Any]:
        """`(melodies, vocabulary)` log p of the next token after `(melodies,)` tokens, and the new state."""
        state = torch.cat([state, torch.as_tensor(tokens, device=state.device)[:, None]], dim=1)[:, -STEPS:]
        return self._predict(state, 1)[:, -1], state

    def _predict(self, known: Tensor, steps: int) -> Tensor:
        """Log p of the last `steps` tokens of melodies, from all tokens but the last one."""
        padding = torch.full((len(known), STEPS), self.vocabulary_size, dtype=torch.int64, device=known.device)
        context = torch.cat([padding, known], dim=1)[:, -(STEPS + steps - 1) :]
        hidden = self.tokens(context).transpose(1, 2)
        for layer in self.layers:
            output = layer(hidden).relu()
            hidden = hidden[..., -output.shape[-1] :] + output
        scores: Tensor = self.head(hidden.transpose(1, 2)[:, -steps:])
        return scores.log_softmax(-1)


def learn(model: Convolution, pieces: Sequence[np.ndarray], batches: int) -> None:
    """Train on windows of the pieces."""
    rng, optimizer = np.random.default_rng(1), torch.optim.Adam(model.parameters(), lr=2e-3)
    long = [piece for piece in pieces if len(piece) > STEPS]
    for _ in range(batches):
        chosen = [long[number] for number in rng.integers(len(long), size=64)]
        firsts = [16 * int(rng.integers((len(piece) - STEPS) // 16 + 1)) for piece in chosen]
        tokens = torch.from_numpy(np.stack([p[first : first + STEPS] for p, first in zip(chosen, firsts, strict=True)]))
        loss = -model.log_probs(tokens).gather(-1, tokens[..., None]).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def main() -> None:
    """Train, tune, and write a melody before and after."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batches", type=int, default=300)
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--melodies", type=int, default=128)
    parser.add_argument("--out", type=Path, default=Path("runs/own-model"))
    options = parser.parse_args()

    data = cantilena.encode_on_grid(cantilena.open_corpus("ryan"))  # all melodies in C major or A minor
    torch.manual_seed(1)
    model = Convolution(len(data.encoding.vocabulary))
    learn(model, data.train.sequences.tokens, options.batches)
    print(f"trained: {cantilena.likelihood(model, data.test.sequences).nats_per_step:.2f} nats a step, held out")
    composer = cantilena.Composer(model, model, data.encoding)
    composer.compose(bars=4, seed=1).save(options.out / "before.mid")

    done = cantilena.tune_module(
        model,
        data.encoding,
        rules="cantilena",
        steps=64,
        updates=options.updates,
        melodies=options.melodies,
        target_kl=0.3,
    )
    first, last = (sum(term[place] for term in done.history.terms.values()) for place in (0, -1))
    print(f"tuned: reward {first:.0f} before, {last:.0f} after, KL {done.history.kl[-1]:.2f} nats a step")
    composer.compose(bars=4, seed=1).save(options.out / "after.mid")


if __name__ == "__main__":
    main()
