"""How much better new bars fit what follows them when the future chooses among candidates; and how long it takes.

    .venv/bin/python benchmarks/rewriting.py [MODEL]

Of each held-out tune of the built-in corpus two bars are written anew. The nats of what follows (people's own bars) are
compared after the first candidate, after the chosen one and after people's own two bars, under the model that composed
and under a model of another kind, an n-gram, which had no part in choosing.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from cantilena.data import load_builtin
from cantilena.generation import BarRange, SamplingOptions, load
from cantilena.generation.infilling import CANDIDATES, InfillSpan, InfillContext, draw_candidates
from cantilena.models import Bars, NGram, NGramOptions, log_probs_with_bars
from cantilena.music import Melody
from cantilena.runtime import generator

TUNES = 60
FIRST, LAST = 3, 4


def main(name: str = "tunes") -> None:
    """Measure and print."""
    composer = load(name)
    corpus, encoding = load_builtin("tunes"), composer.encoding
    learned = [encoding.encode(_plain(tune)) for tune in corpus.melodies("train")]
    judge = NGram.fit(learned, len(encoding.vocabulary), NGramOptions())
    tunes = [_plain(tune) for tune in corpus.melodies("test") if 8 <= tune.bars <= 40][:TUNES]
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
        rows.append([_nats(model, three, bars[:3], len(around.future)) for model in (composer.model, judge)])
    nats = np.array(rows)  # (tunes, judges, first | chosen | people's)
    for index, who in enumerate((name, "n-gram")):
        first, chosen_nats, people = nats[:, index].mean(axis=0)
        gain = nats[:, index, 1] - nats[:, index, 0]
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        print(f"{who}: first {first:.2f}, chosen {chosen_nats:.2f}, people's {people:.2f} nats; "
              f"gain {gain.mean():.2f} +- {error:.2f}")  # fmt: skip
    many = f"{np.median(effective):.1f} of {CANDIDATES}"
    print(f"{len(nats)} tunes; {np.median(seconds):.3f} s each; {many} candidates count")


def _plain(tune: Melody) -> Melody:
    """A tune in the key that models think in."""
    return tune.transposed(tune.key.interval_to(tune.key.plain)) if tune.key else tune


def _nats(model: object, whole: np.ndarray, bars: Bars, steps: int) -> np.ndarray:
    log_probs = np.asarray(log_probs_with_bars(model, whole, bars), dtype=np.float64)  # type: ignore[arg-type]
    nats: np.ndarray = np.take_along_axis(log_probs, whole[..., None], axis=-1)[:, -steps:, 0].sum(axis=1)
    return nats


if __name__ == "__main__":
    main(*sys.argv[1:2])
