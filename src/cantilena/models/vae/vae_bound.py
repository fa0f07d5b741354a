r"""Bounds on how likely windows are under a VAE, which itself nobody can sum up.

With S codes drawn from q(z | x) and w_s = p(x | z_s) p(z_s) / q(z_s | x),

    E ln w  <=  E ln (1/S) sum_s w_s  <=  ln p(x).

The first is the ELBO (Kingma and Welling 2014), the second the importance-weighted bound (Burda, Grosse and
Salakhutdinov 2016, Importance weighted autoencoders), the tighter the larger S is. The bounds of a piece's windows add
up to one of the piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CorpusError
from cantilena.models.sequences import Sequences
from cantilena.models.vae.inference import Decoding, MelodyVae
from cantilena.models.vae.windows import Windows

Floats = NDArray[np.float64]

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

    elbo: Floats
    weighted: Floats
    divergence: Floats
    means: NDArray[np.float32]
    steps: NDArray[np.int64]
    samples: int

    @property
    def active(self) -> float:
        """Share of the code's numbers that say anything: whose mean varies over the windows by more than .01."""
        return float(np.mean(self.means.var(axis=0) > ACTIVE)) if len(self.means) else 0.0

    def per_step(self, nats: Floats) -> float:
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


def bound_of_pieces(vae: MelodyVae, pieces: Sequences, samples: int, rng: np.random.Generator) -> Floats:
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
