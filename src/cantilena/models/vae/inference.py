"""A melody VAE in numpy: codes of windows, and windows of codes, without torch.

"Bounds on how likely windows are under a VAE, which itself nobody can sum up.

With S codes drawn from q(z | x) and w_s = p(x | z_s) p(z_s) / q(z_s | x),

    E ln w  <=  E ln (1/S) sum_s w_s  <=  ln p(x).

The first is the ELBO (Kingma and Welling 2014), the second the importance-weighted bound (Burda, Grosse and
Salakhutdinov 2016, Importance weighted autoencoders), the tighter the larger S is. The bounds of a piece's windows add
up to one of the piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError, UsageError
from cantilena.models.network.weights import LAYER
from cantilena.models.policy import log_softmax, numpy_of
from cantilena.models.protocol import Bars, Sequences
from cantilena.models.vae.options import READERS, VaeOptions
from cantilena.models.vae.windows import Windows, begins_window, told_of, window_starts

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

_LAYERS = ("reading", "gathered", "posterior", "opening", "intent", "plan", "head")
_LOG_VARIANCES = (-8.0, 4.0)

_CODES = 16
"""Codes by which a bound is measured where nobody says how many."""

_NO_CHANCES = "a VAE has no exact probabilities of the next token, and so it neither rewrites bars nor is tuned"
_NO_CHANCES_HINT = "vary a melody or go from one to another with it (compose --vary, --interpolate), or name a network"


class MelodyVae:
    """A trained VAE that computes in numpy alone (`vae_network.py` says what is computed).

    Args:
        options: its shape.
        weights: every weight by name, as `vae_shapes` has them.

    Example:
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
        self._readers = [_Cells(single, name) for name in READERS]
        self._writer = _Cells(single, "writer")
        self._layers = {
            name: (np.ascontiguousarray(single[f"{name}.weight"].T), single[f"{name}.bias"]) for name in _LAYERS
        }

    def posterior(self, tokens: Rows, lengths: Rows, bars: Bars) -> tuple[Floats, Floats]:
        """Mean and log variance of each window's code, `(windows, latent)` each.

        Args:
            tokens: `(windows, steps)`, padded.
            lengths: `(windows,)`.
            bars: of the windows.
        """
        steps = tokens.shape[1]
        told = self._table[told_of(tokens, bars, self.vocabulary_size)].sum(axis=2)
        clock, long = np.arange(steps)[None, :], lengths[:, None]
        turned = np.where(clock < long, long - 1 - clock, clock)[:, :, None]
        ahead = self._readers[0].all(told)
        back = self._readers[1].all(np.take_along_axis(told, turned, axis=1))
        last = np.arange(len(tokens)), lengths - 1
        seen = np.concatenate([ahead, np.take_along_axis(back, turned, axis=1), told], axis=2)
        kept = np.zeros((len(tokens), self.options.steps, self.options.reading), dtype=np.float32)
        told_apart = min(steps, self.options.steps)
        kept[:, :told_apart] = (self._through("reading", seen) * (clock < long)[:, :, None])[:, :told_apart]
        both = np.concatenate([ahead[last], back[last], kept.reshape(len(tokens), -1)], axis=1)
        found = self._through("posterior", np.maximum(self._through("gathered", both), 0))
        return found[:, : self.options.latent], np.clip(found[:, self.options.latent :], *_LOG_VARIANCES)

    def drawn(self, uniforms: NDArray[np.float64], primer: Rows, bars: Bars | None) -> Decoding:
        """What melodies are drawn from: each with codes of its own out of the prior.

        A primer's windows have its own codes, so that what is drawn first goes on in its manner.

        Args:
            uniforms: `(melodies, new steps)`: the randomness, from the first numbers of which the codes come too.
            primer: `(primer steps,)` tokens that come before.
            bars: where the first step lies in its bar; 4/4 in sixteenths if None.
        """
        bars = Bars.common_time(len(uniforms)) if bars is None else bars
        steps = len(primer) + uniforms.shape[1]
        codes = np.stack([
            np.random.default_rng((row[:4] * 2.0**53).astype(np.uint64).tolist()).standard_normal(
                (self.windows(steps, bars[number : number + 1]), self.options.latent)
            )
            for number, row in enumerate(uniforms)
        ]).astype(np.float32)  # fmt: skip
        if len(primer):
            own = self.codes_of(primer, bars[:1])
            codes[:, : len(own)] = own
        return Decoding(self, codes)

    def windows(self, steps: int, bars: Bars) -> int:
        """How many windows so many steps of one melody make."""
        window = self.options.bars * int(bars.steps_per_bar[0])
        return len(window_starts(steps, window, int(bars.pickup[0])))

    def codes_of(self, tokens: Rows, bars: Bars) -> Floats:
        """`(windows, latent)`: the mean code of each window of one melody.

        Args:
            tokens: `(steps,)`.
            bars: of that melody.
        """
        cut = Windows.of(Sequences((tokens,), bars), self.options.bars).sequences
        return self.posterior(cut.padded(range(len(cut))), cut.lengths, cut.bars)[0]

    def remembering(self, tokens: Rows, bars: Bars) -> Decoding:
        """What `(melodies, steps)` tokens are written from: each melody's own codes, the means of q(z | x)."""
        codes = [self.codes_of(row, bars[number : number + 1]) for number, row in enumerate(tokens)]
        most = max(map(len, codes))
        return Decoding(self, np.stack([np.pad(code, ((0, most - len(code)), (0, 0)), mode="edge") for code in codes]))

    def nats_at_most(self, pieces: Sequences) -> NDArray[np.float64]:
        """`(pieces,)` nats: minus a bound on the likelihood of each, by 16 codes a window, the same at every call."""
        return bound_of_pieces(self, pieces, _CODES, np.random.default_rng(0))

    def start(self, melodies: int, *, bars: Bars | None = None) -> NoReturn:
        """No next token without a code: use `drawn`.

        Raises:
            UsageError: always.
        """
        raise UsageError(_NO_CHANCES, _NO_CHANCES_HINT)

    def step(self, tokens: Any, state: Any) -> NoReturn:  # noqa: ANN401
        """As `start`."""
        raise UsageError(_NO_CHANCES, _NO_CHANCES_HINT)

    def log_probs(self, tokens: Any, *, bars: Bars | None = None) -> NoReturn:  # noqa: ANN401
        """As `start`; `vae_bound.py` has a bound."""
        raise UsageError(_NO_CHANCES, _NO_CHANCES_HINT)

    def opened(self, codes: Floats) -> tuple[Floats, Floats]:
        """The writer's first state `(windows, width)` and the plan `(windows, steps, plan)` of codes."""
        whole = self._through("plan", np.maximum(self._through("intent", codes), 0))
        return np.tanh(self._through("opening", codes)), whole.reshape(len(codes), self.options.steps, -1)

    def written(
        self, before: Rows, bars: Bars, clock: int, place: Rows, plan: Floats, state: tuple[Floats, Floats]
    ) -> tuple[Floats, tuple[Floats, Floats]]:
        """`(melodies, vocabulary)` log p of the next token, and the state.

        Args:
            before: `(melodies,)`: the token before, `vocabulary_size` where a window begins.
            bars: of the melodies.
            clock: the step of the melody.
            place: `(melodies,)`: the step of its window.
            plan: `(melodies, steps, plan)`, from `opened`.
            state: h and c.
        """
        rows = told_of(before[:, None], bars, self.vocabulary_size, clock)[:, 0]
        planned = plan[np.arange(len(before)), np.minimum(place, self.options.steps - 1)]
        state = self._writer(np.concatenate([self._table[rows].sum(axis=1), planned], axis=1), state)
        return log_softmax(self._through("head", np.concatenate([state[0], planned], axis=1))), state

    def _through(self, layer: str, x: Floats) -> Floats:
        weight, bias = self._layers[layer]
        through: Floats = x @ weight + bias
        return through


@dataclass(frozen=True, slots=True)
class DecodingState:
    """Where a decoding stands; never changed in place."""

    bars: Bars
    clock: int
    """The step that comes next."""
    window: Rows
    """`(melodies,)`: the window that it lies in."""
    place: Rows
    """`(melodies,)`: its step in that window."""
    plan: Floats
    cells: tuple[Floats, Floats]


class Decoding:
    """p(x | z): a VAE with the codes of all windows given, which is a sequence model like any other.

    Each window is written from its code alone, whatever stands in the one before.

    Args:
        vae: what writes.
        codes: `(melodies, windows, latent)`; beyond the last window its code goes on.
    """

    uses_bars = True

    def __init__(self, vae: MelodyVae, codes: Floats) -> None:
        self.vae, self.codes = vae, np.asarray(codes, dtype=np.float32)
        self.vocabulary_size = vae.vocabulary_size

    def start(self, melodies: int, *, bars: Bars | None = None) -> tuple[Floats, DecodingState]:
        """`(melodies, vocabulary)` log p of the first token, and the state. Bars default to 4/4 in sixteenths."""
        if melodies != len(self.codes):
            raise UsageError(f"{melodies} melodies with codes for {len(self.codes)}", "give codes for every melody")
        bars = Bars.common_time(melodies) if bars is None else bars
        first, plan = self.vae.opened(self.codes[:, 0])
        nothing = np.zeros(melodies, dtype=np.int64)
        state = DecodingState(bars, 0, nothing, nothing, plan, (first, np.zeros_like(first)))
        return self._after(np.full(melodies, self.vocabulary_size), state)

    def step(self, tokens: Any, state: DecodingState) -> tuple[Floats, DecodingState]:  # noqa: ANN401
        """`(melodies, vocabulary)` log p of the next token after one more of each melody, and the state."""
        before = numpy_of(tokens).astype(np.int64)
        begins = begins_window(state.clock, state.bars, self.vae.options.bars)
        if begins.any():
            window = state.window + begins
            codes = self.codes[np.arange(len(before)), np.minimum(window, self.codes.shape[1] - 1)]
            first, plan = self.vae.opened(codes)
            turn, (h, c) = begins[:, None], state.cells
            cells = np.where(turn, first, h), np.where(turn, np.float32(0.0), c)
            plan, place = np.where(turn[:, :, None], plan, state.plan), np.where(begins, 0, state.place)
            state = DecodingState(state.bars, state.clock, window, place, plan, cells)
            before = np.where(begins, self.vocabulary_size, before)
        return self._after(before, state)

    def log_probs(self, tokens: Any, *, bars: Bars | None = None) -> Floats:  # noqa: ANN401
        """`(melodies, steps, vocabulary)` log p of each step given the codes and the tokens before it."""
        known = numpy_of(tokens)
        rows = np.empty((*known.shape, self.vocabulary_size), dtype=np.float32)
        scores, state = self.start(len(known), bars=bars)
        for step in range(known.shape[1]):
            rows[:, step] = scores
            if step + 1 < known.shape[1]:
                scores, state = self.step(known[:, step], state)
        return rows

    def _after(self, before: Rows, state: DecodingState) -> tuple[Floats, DecodingState]:
        scores, cells = self.vae.written(before, state.bars, state.clock, state.place, state.plan, state.cells)
        return scores, DecodingState(state.bars, state.clock + 1, state.window, state.place + 1, state.plan, cells)


class _Cells:
    """One LSTM, its gates i f g o as torch has them."""

    def __init__(self, weights: Mapping[str, Floats], name: str) -> None:
        w_ih, w_hh, b_ih, b_hh = (weights[f"{name}.{part}_l0"] for part in LAYER)
        self.width = w_hh.shape[1]
        self._w = np.ascontiguousarray(np.concatenate([w_ih, w_hh], axis=1).T)
        self._b = b_ih + b_hh

    def __call__(self, told: Floats, state: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        """H and c after one step."""
        h, c = state
        gates = np.concatenate([told, h], axis=1) @ self._w + self._b
        width = self.width
        chances = 0.5 + 0.5 * np.tanh(0.5 * np.delete(gates, np.s_[2 * width : 3 * width], axis=1))
        i, f, o = chances[:, :width], chances[:, width : 2 * width], chances[:, 2 * width :]
        c = f * c + i * np.tanh(gates[:, 2 * width : 3 * width])
        return o * np.tanh(c), c

    def all(self, told: Floats) -> Floats:
        """`(windows, steps, width)`: h after each step."""
        windows, steps, _ = told.shape
        said = np.empty((windows, steps, self.width), dtype=np.float32)
        state = (np.zeros((windows, self.width), dtype=np.float32),) * 2
        for step in range(steps):
            state = self(told[:, step], state)
            said[:, step] = state[0]
        return said


Float64s = NDArray[np.float64]

_AT_ONCE = 2048
"""Windows, each once for every code, that are written together: this bounds the memory."""

ACTIVE = 0.01
"""A number of the code is active where its posterior mean varies by more over the data (Burda et al. 2016)."""


@dataclass(frozen=True, eq=False)
class Bound:
    """Windows under a VAE.

    Args:
        elbo: `(windows,)` nats: minus the bound, by one number a drawn code, their mean.
        weighted: `(windows,)` nats: minus the importance-weighted bound.
        divergence: `(windows,)` nats: KL(q(z | x) || p(z)).
        means: `(windows, latent)`: the codes' means.
        steps: `(windows,)`.
        samples: codes drawn for each.
    """

    elbo: Float64s
    weighted: Float64s
    divergence: Float64s
    means: NDArray[np.float32]
    steps: NDArray[np.int64]
    samples: int

    @property
    def active(self) -> float:
        """Share of the code's numbers that say anything: whose mean varies over the windows by more than .01."""
        return float(np.mean(self.means.var(axis=0) > ACTIVE)) if len(self.means) else 0.0

    def per_step(self, nats: Float64s) -> float:
        """Nats of windows over their steps."""
        return float(nats.sum() / self.steps.sum())


def bound(vae: MelodyVae, windows: Sequences, samples: int, rng: np.random.Generator) -> Bound:
    """Measure windows under a VAE.

    Args:
        vae: what measures.
        windows: as `Windows.of` cuts them.
        samples: codes drawn for each.
        rng: draws them.

    Raises:
        CorpusError: there is no window.
    """
    if not len(windows):
        raise CorpusError("there is no piece to predict", "give a corpus with melodies in that part")
    lengths = windows.lengths
    elbo, weighted, divergence = (np.zeros(len(windows)) for _ in range(3))
    means = np.zeros((len(windows), vae.options.latent), dtype=np.float32)
    for chosen in _batches(lengths, max(_AT_ONCE // samples, 1)):
        tokens, long, bars = windows.padded(chosen), lengths[chosen], windows.bars[chosen]
        mean, log_variance = (found.astype(np.float64) for found in vae.posterior(tokens, long, bars))
        noise = rng.standard_normal((samples, *mean.shape))
        codes = mean + np.exp(0.5 * log_variance) * noise
        rows = np.tile(np.arange(len(chosen)), samples)
        log_p = Decoding(vae, codes.reshape(-1, 1, mean.shape[1]).astype(np.float32)).log_probs(
            tokens[rows], bars=bars[rows]
        )
        said = np.take_along_axis(log_p, tokens[rows][..., None], axis=-1)[..., 0].astype(np.float64)
        counts = np.arange(tokens.shape[1])[None, :] < long[rows][:, None]
        of_codes = np.where(counts, said, 0.0).sum(axis=1).reshape(samples, len(chosen))
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
    """`(pieces,)`: so many nats each piece needs at most: the importance-weighted bounds of its windows, added up.

    Args:
        vae: what measures.
        pieces: whole ones.
        samples: codes drawn for each window.
        rng: draws them.

    Raises:
        CorpusError: there is no piece.
    """
    cut = Windows.of(pieces, vae.options.bars)
    found = bound(vae, cut.sequences, samples, rng)
    return np.bincount(cut.piece, found.weighted, len(pieces)).astype(np.float64)


def _batches(lengths: NDArray[np.int64], windows: int) -> Iterator[NDArray[np.int64]]:
    """Windows of about the same length together."""
    order = np.argsort(lengths, kind="stable")
    for first in range(0, len(order), windows):
        yield order[first : first + windows]
