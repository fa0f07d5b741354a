"""Quality and speed of infilling: how much better the chosen candidate fits the following bars than the first one.

    python benchmarks/rewriting.py [MODEL]

Two bars of each held-out tune of the built-in corpus are rewritten. The nats of the following bars (the original ones)
are compared after the first candidate, after the chosen one and after the two original bars, under the model that
composed and under an n-gram, which took no part in the choice.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from cantilena.data import load_builtin
from cantilena.generation import BarRange, SamplingOptions, load
from cantilena.generation.infill_context import InfillContext, InfillSpan
from cantilena.generation.infilling import CANDIDATES, draw_candidates
from cantilena.models import Bars, NGram, NGramOptions, log_probs_with_bars
from cantilena.music import Melody
from cantilena.runtime import generator

TUNES = 60
FIRST, LAST = 3, 4


def main(name: str = "tunes") -> None:
    """Measure and print."""
    composer = load(name)
    corpus, encoding = load_builtin("tunes"), composer.encoding
    training = [encoding.encode(_normalised(tune)) for tune in corpus.melodies("train")]
    ngram = NGram.fit(training, len(encoding.vocabulary), NGramOptions())
    tunes = [_normalised(tune) for tune in corpus.melodies("test") if 8 <= tune.bars <= 40][:TUNES]
    rows, seconds, effective = [], [], []
    for number, tune in enumerate(tunes):
        started = time.perf_counter()
        around = InfillContext.from_melody(tune, InfillSpan.from_bars(tune, BarRange(FIRST, LAST)), encoding)
        bars = Bars.from_meter(tune.meter, melodies=CANDIDATES, ticks_per_step=6, pickup=tune.pickup, key=tune.key)
        rng = generator(1, "rewrite", number)
        drawn = draw_candidates(composer.model, around, rng, encoding=encoding, bars=bars, sampling=SamplingOptions())
        chosen = drawn.chosen(rng)
        seconds.append(time.perf_counter() - started)
        weights = np.exp(drawn.log_future - drawn.log_future.max())
        effective.append(weights.sum() ** 2 / (weights**2).sum())
        whole = encoding.encode(tune)[None, : len(around.past) + around.steps + len(around.future)]
        three = np.concatenate([around.whole(drawn.tokens[[0, chosen]], encoding), whole])
        rows.append([_nats(model, three, bars[:3], len(around.future)) for model in (composer.model, ngram)])
    nats = np.array(rows)  # (tunes, models, first | chosen | original)
    for index, model_name in enumerate((name, "n-gram")):
        first, chosen_nats, original = nats[:, index].mean(axis=0)
        gain = nats[:, index, 1] - nats[:, index, 0]
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        print(f"{model_name}: first {first:.2f}, chosen {chosen_nats:.2f}, original {original:.2f} nats; "
              f"gain {gain.mean():.2f} +- {error:.2f}")  # fmt: skip
    size = f"{np.median(effective):.1f} of {CANDIDATES}"
    print(f"{len(nats)} tunes; {np.median(seconds):.3f} s each; effective sample size {size} candidates")


def _normalised(tune: Melody) -> Melody:
    """Transpose a tune to the key that models are trained in."""
    return tune.transposed(tune.key.interval_to(tune.key.plain)) if tune.key else tune


def _nats(model: object, whole: np.ndarray, bars: Bars, steps: int) -> np.ndarray:
    log_probs = np.asarray(log_probs_with_bars(model, whole, bars), dtype=np.float64)  # type: ignore[arg-type]
    nats: np.ndarray = np.take_along_axis(log_probs, whole[..., None], axis=-1)[:, -steps:, 0].sum(axis=1)
    return nats


if __name__ == "__main__":
    main(*sys.argv[1:2])
