"""Networks in torch: a table of features, a core of recurrent cells or a transformer, a head.

The names of submodules are those of the weights in bundles (`weights.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cantilena.models.network.attention import Attention
from cantilena.models.network.device import limit_threads
from cantilena.models.network.note_features import NoteFeatures, features_of
from cantilena.models.network.options import NetworkOptions
from cantilena.models.network.recurrence import dropout, lstm, needs_own_gradient
from cantilena.models.network.stepping import RecurrentStepper, TransformerStepper
from cantilena.models.network.stepwise import Ints, Stepper, StepwiseNetwork, split_rows, token_windows, within_bounds
from cantilena.models.network.tape import Tape
from cantilena.models.network.transformer import Transformer
from cantilena.models.policy import to_numpy
from cantilena.models.protocol import Bars, State

_CELLS: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
_MAX_WINDOWS = 1024
"""Windows computed at once: bounds the memory."""
_MANY_MELODIES = 64
"""Melodies from which on stepping an LSTM without gradient is faster than its core."""


class Network(StepwiseNetwork, nn.Module):
    """A trainable sequence model.

    The scores of its head are logits after training, and Q, Psi or G values after tuning.

    Args:
        options: its shape.
        vocabulary_size: number of tokens.
        seed: determines the initial weights; torch's global generator is left as it was.

    Examples:
        >>> network = Network(NetworkOptions(width=16, embedding=16), vocabulary_size=38)
        >>> network.log_probs(np.array([[14, 1, 16]])).shape
        torch.Size([1, 3, 38])
    """

    def __init__(self, options: NetworkOptions, vocabulary_size: int, seed: int = 0) -> None:
        super().__init__()
        self.options = options
        self.features = features_of(options, vocabulary_size)
        self.tape: Tape | None = None  # on which the next stepper records (see `recorded`)
        self.stepping = torch.float32  # type of the products of `start` and `step` (see `choose_precision`)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if options.input == "features":
                self.table = nn.EmbeddingBag(self.features.rows, options.embedding, mode="sum")
                nn.init.normal_(self.table.weight, std=self.features.columns**-0.5)  # the sum has variance 1
            self.core = make_core(options)
            size = options.head_inputs
            if isinstance(self.features, NoteFeatures):
                self.parts = nn.EmbeddingBag(self.features.part_rows, size, mode="sum")
                nn.init.normal_(self.parts.weight, std=self.features.part_columns**-0.5)
                self.direct = nn.EmbeddingBag(self.features.rows, size, mode="sum")
                nn.init.normal_(self.direct.weight, std=0.3 * self.features.columns**-0.5)
                self.mix = nn.Linear(options.width, size)
                self.deep = nn.Linear(size, size)
            self.head = nn.Linear(options.head_inputs, vocabulary_size)
            if options.attends:
                self.attention = Attention(options, vocabulary_size)
        self.eval()

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.head.weight.device

    def forward(self, rows: Tensor, state: Any = None) -> tuple[Tensor, State]:  # noqa: ANN401  (each core has its own)
        """Scores after each step, all steps at once.

        Args:
            rows: `(melodies, steps, columns)` int64 rows of the table, from `features.encode`; of notes with the bounds
                of the tokens that may come next.
            state: of the steps before, None at the start.

        Returns:
            `(melodies, steps, vocabulary)` float32 scores, and the state after the last step.
        """
        if self.options.durations:
            return self._forward_notes(rows, state)
        vectors = self._vectors(rows)
        if not self.options.attends:
            hidden, state = self._run_core(vectors, state)
            return self._scores(hidden), state
        core_state, past = state if state is not None else (None, None)
        hidden, core_state = self._run_core(vectors, core_state)
        scores, past = self.attention.scores(self._scores, hidden, rows[:, :, 0], past)  # column 0 is the token
        return scores, (core_state, past)

    def _forward_notes(self, rows: Tensor, state: Any) -> tuple[Tensor, State]:  # noqa: ANN401
        """As `forward`, of notes: the core makes one step a note, the head one a token."""
        melodies, tokens, _ = rows.shape
        period = self.features.period
        rows, parts, bounds = split_rows(rows, self.features.columns)
        notes, state = self._notes(rows[:, ::period], state)
        told = self.parts(parts.flatten(0, 1)).view(melodies, tokens, -1)
        scores = self._scores_of_parts(notes.repeat_interleave(period, dim=1)[:, :tokens] + told)
        return within_bounds(scores, bounds), state

    def try_notes(self, tokens: Ints, bars: Bars | None, parts: NDArray[np.integer]) -> tuple[Tensor, Tensor]:
        """Scores of the first token of each note, and of the second after first ones that are tried in its place.

        They are not within bounds.

        Args:
            tokens: `(melodies, tokens)` of notes.
            bars: of the melodies.
            parts: `(melodies, notes, tried, part columns)`: what the features say after each token that is tried.

        Returns:
            `(melodies, notes, vocabulary)`, and `(melodies, notes, tried, vocabulary)`.
        """
        rows, own, _ = split_rows(self._tensor(self.features.encode(tokens, bars)), self.features.columns)
        notes, _ = self._notes(rows[:, :: self.features.period], None)
        first, tried = own[:, :: self.features.period], self._tensor(parts.astype(np.int64))
        told = self.parts(tried.flatten(0, 2)).view(*tried.shape[:3], -1)
        whole = notes + self.parts(first.flatten(0, 1)).view(notes.shape)
        return self._scores_of_parts(whole), self._scores_of_parts(notes[:, :, None] + told)

    def _notes(self, rows: Tensor, state: Any) -> tuple[Tensor, State]:  # noqa: ANN401
        """What the head reads of each note before its tokens, `(melodies, notes, head)`, and the state of the core."""
        hidden, state = self._run_core(self._vectors(rows), state)
        hidden = dropout(hidden, self.options.dropout, self.training)
        return self.mix(hidden) + self.direct(rows.flatten(0, 1)).view(*hidden.shape[:2], -1), state

    def _scores_of_parts(self, inner: Tensor) -> Tensor:
        inner = torch.tanh(inner)
        inner = inner + torch.tanh(self.deep(dropout(inner, self.options.dropout, self.training)))
        scores: Tensor = self.head(inner)
        return scores.float()

    def _vectors(self, rows: Tensor) -> Tensor:
        melodies, steps, columns = rows.shape
        summed: Tensor = self.table(rows.reshape(-1, columns))
        return summed.view(melodies, steps, self.options.embedding)

    def forward_windows(self, windows: Tensor) -> Tensor:
        """`(windows, vocabulary)` scores of the token after each of `(windows, window)` windows: the paper's input."""
        numbers = (windows / self.vocabulary_size).unsqueeze(-1)
        hidden, _ = self._run_core(numbers)
        return self._scores(hidden[:, -1])

    def scores(self, tokens: Any, bars: Bars | None = None) -> Tensor:  # noqa: ANN401  (numpy or torch)
        """`(melodies, steps, vocabulary)` scores for `(melodies, steps)` tokens: entry t is given the tokens before t.

        With gradient, unless it is switched off; in training mode with dropout.
        """
        known = to_numpy(tokens)
        melodies, steps = known.shape
        with self.few_threads(melodies):
            if self.options.input == "features":
                rows = self.features.encode(known, bars)
                if self._steps_faster(melodies):
                    return self.head(RecurrentStepper(self).all_hidden(rows))  # type: ignore[no-any-return]
                return self(self._tensor(rows))[0]  # type: ignore[no-any-return]
            windows = self._tensor(token_windows(known, self.options.window, self.features.start))
            parts = torch.split(windows.reshape(-1, self.options.window), _MAX_WINDOWS)
            return torch.cat([self.forward_windows(part) for part in parts]).view(melodies, steps, -1)

    def _steps_faster(self, melodies: int) -> bool:
        """Whether steps are faster than the core: of many melodies without gradient, as steps need no input product."""
        options = self.options
        return (
            melodies >= _MANY_MELODIES
            and options.core == "lstm"
            and not (torch.is_grad_enabled() or self.training or options.attends or options.durations)
            and self.device.type == "cpu"
            and self.stepping == torch.float32
            and not torch.is_autocast_enabled("cpu")
        )

    def few_threads(self, melodies: int) -> AbstractContextManager[object]:
        """As `limit_threads` has it."""
        return limit_threads(self.options.width, melodies)

    def stepper(self) -> Stepper:
        """A copy of the current weights laid out for stepping."""
        return TransformerStepper(self) if self.options.core == "transformer" else RecurrentStepper(self)

    def window_scores(self, windows: Ints) -> Tensor:
        """As `forward_windows`, for numpy arrays."""
        return self.forward_windows(self._tensor(windows))

    def numpy_weights(self) -> dict[str, NDArray[np.float32]]:
        """Copies of all weights by name."""
        return {name: to_numpy(weight).astype(np.float32).copy() for name, weight in self.state_dict().items()}

    def load_weights(self, weights: Mapping[str, NDArray[np.floating]]) -> Network:
        """Load weights by name; returns itself."""
        self.load_state_dict({name: torch.from_numpy(np.array(w, dtype=np.float32)) for name, w in weights.items()})
        return self

    def _run_core(self, vectors: Tensor, state: Any = None) -> tuple[Tensor, State]:  # noqa: ANN401
        if needs_own_gradient(self.core, vectors.device):
            return lstm(self.core, vectors, state)  # type: ignore[arg-type]
        hidden, state = self.core(vectors, state)
        return hidden, state

    def _scores(self, hidden: Tensor) -> Tensor:
        scores: Tensor = self.head(dropout(hidden, self.options.dropout, self.training))
        return scores.float()

    def _tensor(self, values: Ints) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)


def make_core(options: NetworkOptions) -> nn.Module:
    """The core of a network, its weights initialised from torch's global generator.

    It is called as `hidden, state = core(vectors, state)` with `(melodies, steps, embedding)` vectors, None as the
    first state, `(melodies, steps, width)` out, and a state whose tensors have the melodies along axis 1.

    Examples:
        >>> make_core(NetworkOptions(core="gru", embedding=5, width=8))
        GRU(5, 8, batch_first=True)
    """
    if options.core == "transformer":
        return Transformer(options, options.embedding)
    inputs = options.embedding if options.input == "features" else 1
    between = options.dropout if options.layers > 1 else 0.0
    core = _CELLS[options.core](inputs, options.width, options.layers, batch_first=True, dropout=between)
    if options.core == "lstm":
        with torch.no_grad():  # a bias of 1: cells remember until training changes it
            for layer in range(options.layers):
                getattr(core, f"bias_ih_l{layer}")[options.width : 2 * options.width] = 1.0
    return core
