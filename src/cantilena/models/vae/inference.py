"""A melody VAE in numpy: codes of windows, windows of codes, and bounds on the likelihood.

With S codes drawn from q(z | x) and w_s = p(x | z_s) p(z_s) / q(z_s | x),

    E ln w  <=  E ln (1/S) sum_s w_s  <=  ln p(x).

The first is the ELBO (Kingma and Welling 2014), the second the importance-weighted bound (Burda, Grosse and
Salakhutdinov 2016, Importance weighted autoencoders), which tightens with S. The bound of a piece is the sum of the
bounds of its windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError, UsageError
from cantilena.models.network.weights import LAYER
from cantilena.models.policy import log_softmax, to_numpy
from cantilena.models.protocol import Bars, Sequences
from cantilena.models.vae.options import LOG_VARIANCE_RANGE, VaeOptions
from cantilena.models.vae.windows import Windows, begins_window, table_rows, window_starts
from cantilena.runtime import one_blas_thread

Floats = NDArray[np.float32]
Float64s = NDArray[np.float64]
Ints = NDArray[np.int64]

ACTIVE = 0.01
"""A dimension of the code is active if its posterior mean has a larger variance over the data (Burda et al. 2016)."""

_LINEAR = ("reading", "gathered", "posterior", "opening", "intent", "plan", "head")
_SAMPLES = 16
"""Codes drawn for `MelodyVae.nll_bound`."""
_MAX_WINDOWS = 2048
"""Windows times codes that are decoded at once: bounds the memory."""


class MelodyVae:
    """A trained VAE that computes in numpy alone; `vae/network.py` has the formulas.

    As a sequence model it only refuses: `VaeDecoder` is one, for given codes.

    Args:
        options: its shape.
        weights: every weight by name, as in `vae_shapes`.

    Examples:
        >>> from cantilena.models.vae.options import vae_shapes
        >>> options = VaeOptions(latent=4, encoder=8, width=8)
        >>> vae = MelodyVae(options, {name: np.zeros(shape) for name, shape in vae_shapes(options, 38).items()})
        >>> vae.posterior(np.array([[14, 1, 16]]), np.array([3]), Bars.common_time(1))[0].tolist()
        [[0.0, 0.0, 0.0, 0.0]]
    """

    uses_bars = True

    def __init__(self, options: VaeOptions, weights: Mapping[str, NDArray[np.floating]]) -> None:
        single = {name: np.ascontiguousarray(weight, dtype=np.float32) for name, weight in weights.items()}
        self.options, self.vocabulary_size = options, len(single["head.bias"])
        self._table = single["table.weight"]
        self._forwards, self._backwards, self._writer = (
            _Lstm(single, name) for name in ("forwards", "backwards", "writer")
        )
        self._layers = {
            name: (np.ascontiguousarray(single[f"{name}.weight"].T), single[f"{name}.bias"]) for name in _LINEAR
        }

    @one_blas_thread()
    def posterior(self, tokens: Ints, lengths: Ints, bars: Bars) -> tuple[Floats, Floats]:
        """Mean and log variance of q(z | x), `(windows, latent)` each, for padded `(windows, steps)` tokens."""
        steps = tokens.shape[1]
        vectors = self._table[table_rows(tokens, bars, self.vocabulary_size)].sum(axis=2)
        clock, long = np.arange(steps)[None, :], lengths[:, None]
        reverse = np.where(clock < long, long - 1 - clock, clock)[:, :, None]
        ahead = self._forwards.all(vectors)
        back = self._backwards.all(np.take_along_axis(vectors, reverse, axis=1))
        last = np.arange(len(tokens)), lengths - 1
        seen = np.concatenate([ahead, np.take_along_axis(back, reverse, axis=1), vectors], axis=2)
        readings = np.zeros((len(tokens), self.options.steps, self.options.reading), dtype=np.float32)
        read = min(steps, self.options.steps)
        readings[:, :read] = (self._linear("reading", seen) * (clock < long)[:, :, None])[:, :read]
        both = np.concatenate([ahead[last], back[last], readings.reshape(len(tokens), -1)], axis=1)
        both = self._linear("posterior", np.maximum(self._linear("gathered", both), 0))
        return both[:, : self.options.latent], np.clip(both[:, self.options.latent :], *LOG_VARIANCE_RANGE)

    def count_windows(self, steps: int, bars: Bars) -> int:
        """Number of windows of a melody of that many steps."""
        window = self.options.bars * int(bars.steps_per_bar[0])
        return len(window_starts(steps, window, int(bars.pickup[0])))

    def encode(self, tokens: Ints, bars: Bars) -> Floats:
        """`(windows, latent)`: the mean code of each window of one melody of `(steps,)` tokens."""
        cut = Windows.from_sequences(Sequences((tokens,), bars), self.options.bars).sequences
        return self.posterior(cut.padded(range(len(cut))), cut.lengths, cut.bars)[0]

    def decoder_of(self, tokens: Ints, bars: Bars) -> VaeDecoder:
        """The decoder of the mean codes of `(melodies, steps)` tokens."""
        codes = [self.encode(row, bars[number : number + 1]) for number, row in enumerate(tokens)]
        most = max(map(len, codes))
        return VaeDecoder(
            self, np.stack([np.pad(code, ((0, most - len(code)), (0, 0)), mode="edge") for code in codes])
        )

    def prior_decoder(self, uniforms: NDArray[np.float64], primer: Ints, bars: Bars | None) -> VaeDecoder:
        """The decoder of codes drawn from the prior, for each melody its own; the windows of a primer have its codes.

        The first numbers of each row of `uniforms`, the randomness of `sample`, also seed its codes.
        """
        bars = Bars.common_time(len(uniforms)) if bars is None else bars
        steps = len(primer) + uniforms.shape[1]
        codes = np.stack([
            np.random.default_rng((row[:4] * 2.0**53).astype(np.uint64).tolist()).standard_normal(
                (self.count_windows(steps, bars[number : number + 1]), self.options.latent)
            )
            for number, row in enumerate(uniforms)
        ]).astype(np.float32)  # fmt: skip
        if len(primer):
            own = self.encode(primer, bars[:1])
            codes[:, : len(own)] = own
        return VaeDecoder(self, codes)

    def nll_bound(self, pieces: Sequences) -> Float64s:
        """`(pieces,)` nats: upper bounds on the negative log-likelihood, by 16 codes a window; deterministic."""
        return bound_of_pieces(self, pieces, _SAMPLES, np.random.default_rng(0))

    def start(self, melodies: int, *, bars: Bars | None = None) -> NoReturn:
        """Refuse: there is no distribution of the next token without a code.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            "a VAE has no exact probabilities of the next token, and so it neither rewrites bars nor is tuned",
            "vary a melody or interpolate two with it (compose --vary, --interpolate), or name a network",
        )

    def step(self, tokens: Any, state: Any) -> NoReturn:  # noqa: ANN401
        """As `start`."""
        self.start(1)

    def log_probs(self, tokens: Any, *, bars: Bars | None = None) -> NoReturn:  # noqa: ANN401
        """As `start`; see `nll_bound`."""
        self.start(1)

    @one_blas_thread()
    def decoder_start(self, codes: Floats) -> tuple[Floats, Floats]:
        """The first state of the decoder, `(windows, width)`, and the plan, `(windows, steps, plan)`, of codes."""
        plan = self._linear("plan", np.maximum(self._linear("intent", codes), 0))
        return np.tanh(self._linear("opening", codes)), plan.reshape(len(codes), self.options.steps, -1)

    @one_blas_thread()
    def decoder_step(
        self, before: Ints, bars: Bars, clock: int, place: Ints, plan: Floats, state: tuple[Floats, Floats]
    ) -> tuple[Floats, tuple[Floats, Floats]]:
        """`(melodies, vocabulary)` log p of the next token, and the state.

        Args:
            before: `(melodies,)`: the token before, `vocabulary_size` at the start of a window.
            bars: of the melodies.
            clock: the step of the melody.
            place: `(melodies,)`: the step of its window.
            plan: `(melodies, steps, plan)`.
            state: h and c.
        """
        rows = table_rows(before[:, None], bars, self.vocabulary_size, clock)[:, 0]
        planned = plan[np.arange(len(before)), np.minimum(place, self.options.steps - 1)]
        state = self._writer(np.concatenate([self._table[rows].sum(axis=1), planned], axis=1), state)
        return log_softmax(self._linear("head", np.concatenate([state[0], planned], axis=1))), state

    def _linear(self, layer: str, x: Floats) -> Floats:
        weight, bias = self._layers[layer]
        y: Floats = x @ weight + bias
        return y


@dataclass(frozen=True, slots=True)
class DecoderState:
    """The state of a `VaeDecoder`; immutable."""

    bars: Bars
    clock: int
    """The next step."""
    window: Ints
    """`(melodies,)`: the window of that step."""
    place: Ints
    """`(melodies,)`: its number in the window."""
    plan: Floats
    cells: tuple[Floats, Floats]


class VaeDecoder:
    """p(x | z) for given codes: a sequence model. Each window depends on its code alone.

    Args:
        vae: the VAE.
        codes: `(melodies, windows, latent)`; later windows have the code of the last.
    """

    uses_bars = True

    def __init__(self, vae: MelodyVae, codes: Floats) -> None:
        self.vae, self.codes = vae, np.asarray(codes, dtype=np.float32)
        self.vocabulary_size = vae.vocabulary_size

    def start(self, melodies: int, *, bars: Bars | None = None) -> tuple[Floats, DecoderState]:
        """`(melodies, vocabulary)` log p of the first token, and the state; bars default to 4/4 in sixteenths."""
        if melodies != len(self.codes):
            raise UsageError(f"{melodies} melodies with codes for {len(self.codes)}", "give codes for every melody")
        bars = Bars.common_time(melodies) if bars is None else bars
        h, plan = self.vae.decoder_start(self.codes[:, 0])
        zeros = np.zeros(melodies, dtype=np.int64)
        state = DecoderState(bars, 0, zeros, zeros, plan, (h, np.zeros_like(h)))
        return self._step(np.full(melodies, self.vocabulary_size), state)

    def step(self, tokens: Any, state: DecoderState) -> tuple[Floats, DecoderState]:  # noqa: ANN401
        """`(melodies, vocabulary)` log p of the next token after `(melodies,)` tokens, and the new state."""
        before = to_numpy(tokens).astype(np.int64)
        begins = begins_window(state.clock, state.bars, self.vae.options.bars)
        if begins.any():
            window = state.window + begins
            codes = self.codes[np.arange(len(before)), np.minimum(window, self.codes.shape[1] - 1)]
            first, plan = self.vae.decoder_start(codes)
            begins_row, (h, c) = begins[:, None], state.cells
            cells = np.where(begins_row, first, h), np.where(begins_row, np.float32(0.0), c)
            plan, place = np.where(begins_row[:, :, None], plan, state.plan), np.where(begins, 0, state.place)
            state = DecoderState(state.bars, state.clock, window, place, plan, cells)
            before = np.where(begins, self.vocabulary_size, before)
        return self._step(before, state)

    def log_probs(self, tokens: Any, *, bars: Bars | None = None) -> Floats:  # noqa: ANN401
        """`(melodies, steps, vocabulary)` log p of each step given the codes and the tokens before it."""
        known = to_numpy(tokens)
        log_probs = np.empty((*known.shape, self.vocabulary_size), dtype=np.float32)
        log_p, state = self.start(len(known), bars=bars)
        for step in range(known.shape[1]):
            log_probs[:, step] = log_p
            if step + 1 < known.shape[1]:
                log_p, state = self.step(known[:, step], state)
        return log_probs

    def _step(self, before: Ints, state: DecoderState) -> tuple[Floats, DecoderState]:
        log_p, cells = self.vae.decoder_step(before, state.bars, state.clock, state.place, state.plan, state.cells)
        return log_p, DecoderState(state.bars, state.clock + 1, state.window, state.place + 1, state.plan, cells)


class _Lstm:
    """One LSTM, with torch's order of gates: i, f, g, o."""

    def __init__(self, weights: Mapping[str, Floats], name: str) -> None:
        w_ih, w_hh, b_ih, b_hh = (weights[f"{name}.{part}_l0"] for part in LAYER)
        self.width = w_hh.shape[1]
        self._w = np.ascontiguousarray(np.concatenate([w_ih, w_hh], axis=1).T)
        self._b = b_ih + b_hh

    def __call__(self, x: Floats, state: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        """H and c after one step."""
        h, c = state
        gates = np.concatenate([x, h], axis=1) @ self._w + self._b
        width = self.width
        sigma = 0.5 + 0.5 * np.tanh(0.5 * np.delete(gates, np.s_[2 * width : 3 * width], axis=1))
        i, f, o = sigma[:, :width], sigma[:, width : 2 * width], sigma[:, 2 * width :]
        c = f * c + i * np.tanh(gates[:, 2 * width : 3 * width])
        return o * np.tanh(c), c

    def all(self, x: Floats) -> Floats:
        """`(windows, steps, width)`: h after each step."""
        windows, steps, _ = x.shape
        hidden = np.empty((windows, steps, self.width), dtype=np.float32)
        state = (np.zeros((windows, self.width), dtype=np.float32),) * 2
        for step in range(steps):
            state = self(x[:, step], state)
            hidden[:, step] = state[0]
        return hidden


@dataclass(frozen=True, eq=False)
class Bound:
    """Bounds on the likelihood of windows.

    Args:
        elbo: `(windows,)` nats: minus the ELBO, a mean over codes.
        weighted: `(windows,)` nats: minus the importance-weighted bound.
        divergence: `(windows,)` nats: KL(q(z | x) || p(z)).
        means: `(windows, latent)`: the means of the codes.
        steps: `(windows,)`.
        samples: codes drawn for each window.
    """

    elbo: Float64s
    weighted: Float64s
    divergence: Float64s
    means: Floats
    steps: Ints
    samples: int

    @property
    def active(self) -> float:
        """Share of the dimensions of the code that are active."""
        return float(np.mean(self.means.var(axis=0) > ACTIVE)) if len(self.means) else 0.0

    def per_step(self, nats: Float64s) -> float:
        """Nats of windows over their steps."""
        return float(nats.sum() / self.steps.sum())


def bound(vae: MelodyVae, windows: Sequences, samples: int, rng: np.random.Generator) -> Bound:
    """Compute the bounds of windows, cut as by `Windows.from_sequences`.

    Raises:
        CorpusError: there is no window.
    """
    if not len(windows):
        raise CorpusError("there is no piece to predict", "give a corpus with melodies in that part")
    lengths = windows.lengths
    elbo, weighted, divergence = (np.zeros(len(windows)) for _ in range(3))
    means = np.zeros((len(windows), vae.options.latent), dtype=np.float32)
    for chosen in batches_by_length(windows, max(_MAX_WINDOWS // samples, 1)):
        tokens, long, bars = windows.padded(chosen), lengths[chosen], windows.bars[chosen]
        mean, log_variance = (part.astype(np.float64) for part in vae.posterior(tokens, long, bars))
        noise = rng.standard_normal((samples, *mean.shape))
        codes = mean + np.exp(0.5 * log_variance) * noise
        rows = np.tile(np.arange(len(chosen)), samples)
        decoder = VaeDecoder(vae, codes.reshape(-1, 1, mean.shape[1]).astype(np.float32))
        log_p = decoder.log_probs(tokens[rows], bars=bars[rows])
        of_tokens = np.take_along_axis(log_p, tokens[rows][..., None], axis=-1)[..., 0].astype(np.float64)
        valid = np.arange(tokens.shape[1])[None, :] < long[rows][:, None]
        of_codes = np.where(valid, of_tokens, 0.0).sum(axis=1).reshape(samples, len(chosen))
        prior = -0.5 * np.square(codes).sum(axis=2)  # the constants of both densities are the same
        own = -0.5 * (np.square(noise) + log_variance).sum(axis=2)
        weights = of_codes + prior - own
        means[chosen] = mean
        divergence[chosen] = 0.5 * (np.square(mean) + np.exp(log_variance) - 1.0 - log_variance).sum(axis=1)
        elbo[chosen] = divergence[chosen] - of_codes.mean(axis=0)
        highest = weights.max(axis=0)
        weighted[chosen] = -(highest + np.log(np.exp(weights - highest).mean(axis=0)))
    return Bound(elbo, weighted, divergence, means, lengths, samples)


def bound_of_pieces(vae: MelodyVae, pieces: Sequences, samples: int, rng: np.random.Generator) -> Float64s:
    """`(pieces,)` nats: sums of the importance-weighted bounds of the windows of each piece; arguments as `bound`."""
    cut = Windows.from_sequences(pieces, vae.options.bars)
    bounds = bound(vae, cut.sequences, samples, rng)
    return np.bincount(cut.piece, bounds.weighted, len(pieces)).astype(np.float64)


def batches_by_length(windows: Sequences, size: int) -> Iterator[Ints]:
    """Numbers of windows of similar length, `size` a batch."""
    order = np.argsort(windows.lengths, kind="stable")
    for first in range(0, len(order), size):
        yield order[first : first + size]
