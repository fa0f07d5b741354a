"""Networks in torch: a table of features, a core of recurrent cells or a transformer, a head.

The core of a network: recurrent cells, or a transformer.

All cores are called alike: `hidden, state = core(vectors, state)` with `(melodies, steps, below)` vectors, `None` for
the state at the start, `(melodies, steps, width)` out, and a state whose every part has its melodies along axis 1.

The paper's input: the last tokens as a window, and nothing else.

Where less than a window has been heard, the start symbol (the number after the last token) stands on the left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cantilena.models.network.attention import Attention
from cantilena.models.network.features import Features
from cantilena.models.network.options import NetworkOptions
from cantilena.models.network.recurrence import dropped, learns_here, lstm
from cantilena.models.network.stepping import StepState, stepper_of
from cantilena.models.network.transformer import Transformer
from cantilena.models.network.windows import WindowState, shifted, windows
from cantilena.models.policy import numpy_of
from cantilena.models.protocol import Bars

_CELLS: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def core_of(options: NetworkOptions) -> nn.Module:
    """The core of that shape, its first weights drawn from torch's global generator.

    Example:
        >>> core_of(NetworkOptions(core="gru", embedding=5, width=8))
        GRU(5, 8, batch_first=True)
    """
    if options.core == "transformer":
        return Transformer(options, options.embedding)
    below = options.embedding if options.input == "features" else 1
    between = options.dropout if options.layers > 1 else 0.0
    core = _CELLS[options.core](below, options.width, options.layers, batch_first=True, dropout=between)
    if options.core == "lstm":
        with torch.no_grad():  # a cell remembers until it has learned to forget
            for layer in range(options.layers):
                getattr(core, f"bias_ih_l{layer}")[options.width : 2 * options.width] = 1.0
    return core


_WINDOWS_AT_ONCE = 1024


class Network(nn.Module):
    """A sequence model that learns.

    Its head gives scores: logits after training; Q, Psi or G values after tuning.

    Args:
        options: its shape.
        vocabulary_size: how many tokens there are.
        seed: decides the initial weights; torch's global generator is left as it was.

    Example:
        >>> network = Network(NetworkOptions(width=16, embedding=16), vocabulary_size=38)
        >>> network.log_probs(np.array([[14, 1, 16]])).shape
        torch.Size([1, 3, 38])
    """

    def __init__(self, options: NetworkOptions, vocabulary_size: int, seed: int = 0) -> None:
        super().__init__()
        self.options = options
        self.features = Features(options, vocabulary_size)
        self.stepping = torch.float32  # what `start` and `step` multiply in; `choose_precision` says what gains
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if options.input == "features":
                self.table = nn.EmbeddingBag(self.features.rows, options.embedding, mode="sum")
                nn.init.normal_(self.table.weight, std=self.features.columns**-0.5)  # so that the sum has variance 1
            self.core = core_of(options)
            self.head = nn.Linear(options.width, vocabulary_size)
            if options.attends:
                self.attention = Attention(options, vocabulary_size)
        self.eval()

    @property
    def vocabulary_size(self) -> int:
        """How many tokens there are."""
        return self.features.vocabulary_size

    @property
    def uses_bars(self) -> bool:
        """Whether it cares where in its bar a step lies, or what else is known of a melody."""
        return self.options.uses_bars

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.head.weight.device

    def forward(self, rows: Tensor, state: Any = None) -> tuple[Tensor, Any]:  # noqa: ANN401  (each core has its own)
        """Scores after each step, the whole sequence in one call.

        Args:
            rows: `(melodies, steps, columns)` int64 rows of the table, from `features.of`.
            state: what this gave after the steps before, None at the start.

        Returns:
            `(melodies, steps, vocabulary)` float32 scores, and the state after the last step: the core's, with
            attention's past beside it where there is one; melodies lie along the second axis of every part.
        """
        melodies, steps, columns = rows.shape
        vectors = self.table(rows.reshape(-1, columns)).view(melodies, steps, self.options.embedding)
        if not self.options.attends:
            hidden, state = self._after_core(vectors, state)
            return self._head(hidden), state
        before, past = state if state is not None else (None, None)
        hidden, after = self._after_core(vectors, before)
        scores, past = self.attention.scores(self._head, hidden, rows[:, :, 0], past)  # a row begins with its token
        return scores, (after, past)

    def forward_windows(self, seen: Tensor) -> Tensor:
        """`(windows, vocabulary)` scores of the token after each of `(windows, window)` windows: the paper's input."""
        numbers = (seen / self.vocabulary_size).unsqueeze(-1)
        hidden, _ = self._after_core(numbers)
        return self._head(hidden[:, -1])

    def scores(self, tokens: Any, bars: Bars | None = None) -> Tensor:  # noqa: ANN401  (numpy or torch)
        """`(melodies, steps, vocabulary)` scores for `(melodies, steps)` tokens: entry t is given the tokens before t.

        With gradient, unless it is switched off; in training mode with dropout.
        """
        known = numpy_of(tokens)
        if self.options.input == "features":
            return self(self._tensor(self.features.of(known, bars)))[0]  # type: ignore[no-any-return]
        seen = windows(known, self.options.window, self.features.start)
        melodies, steps, window = seen.shape
        parts = torch.split(self._tensor(seen).reshape(-1, window), _WINDOWS_AT_ONCE)
        return torch.cat([self.forward_windows(part) for part in parts]).view(melodies, steps, -1)

    def log_probs(self, tokens: Any, *, bars: Bars | None = None) -> Tensor:  # noqa: ANN401
        """`(melodies, steps, vocabulary)` log p of each step given the tokens before it, with gradient."""
        return F.log_softmax(self.scores(tokens, bars), dim=-1)

    def start(self, melodies: int, *, bars: Bars | None = None) -> tuple[Tensor, Any]:
        """`(melodies, vocabulary)` log p of the first token, and the state. Bars default to 4/4 in sixteenths."""
        scores, state = self.start_scores(melodies, bars)
        return F.log_softmax(scores, dim=-1), state

    def step(self, tokens: Any, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """`(melodies, vocabulary)` log p of the next token after one more of each melody, and the state."""
        scores, state = self.step_scores(tokens, state)
        return F.log_softmax(scores, dim=-1), state

    @torch.no_grad()
    def start_scores(self, melodies: int, bars: Bars | None = None) -> tuple[Tensor, Any]:
        """As `start`, with the head's raw scores. The weights are read here: a state outlives a later update."""
        if self.options.input == "paper":
            seen = np.full((melodies, self.options.window), self.features.start)
            return self.forward_windows(self._tensor(seen)), WindowState(seen)
        rows, memory = self.features.first(melodies, bars)
        stepper = stepper_of(self)
        scores, hidden = stepper(self._tensor(rows), stepper.silence(melodies))
        return scores, StepState(stepper, hidden, memory)

    @torch.no_grad()
    def step_scores(self, tokens: Any, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401
        """As `step`, with the head's raw scores."""
        known = numpy_of(tokens)
        if isinstance(state, WindowState):
            seen = shifted(state.seen, known)
            return self.forward_windows(self._tensor(seen)), WindowState(seen)
        rows, memory = self.features.next(known, state.memory)
        scores, hidden = state.stepper(self._tensor(rows), state.hidden)
        return scores, StepState(state.stepper, hidden, memory)

    def numpy_weights(self) -> dict[str, NDArray[np.float32]]:
        """A copy of every weight by name, as numpy arrays."""
        return {name: numpy_of(weight).astype(np.float32).copy() for name, weight in self.state_dict().items()}

    def load_weights(self, weights: Mapping[str, NDArray[np.floating]]) -> Network:
        """Take over weights by name; returns itself."""
        self.load_state_dict({name: torch.from_numpy(np.array(w, dtype=np.float32)) for name, w in weights.items()})
        return self

    def _after_core(self, told: Tensor, state: Any = None) -> tuple[Tensor, Any]:  # noqa: ANN401
        if learns_here(self.core, told.device):
            return lstm(self.core, told, state)  # type: ignore[arg-type]
        hidden, state = self.core(told, state)
        return hidden, state

    def _head(self, hidden: Tensor) -> Tensor:
        scores: Tensor = self.head(dropped(hidden, self.options.dropout, self.training))
        return scores.float()

    def _tensor(self, values: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)
