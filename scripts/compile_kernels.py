"""Compile the loops of rules, metrics and n-grams, whose first use otherwise waits for it.

    .venv/bin/python scripts/compile_kernels.py

numba keeps what it compiled beside each file; `set_up.py` calls this after an installation.
"""

from __future__ import annotations

import numpy as np

from cantilena.metrics import CopyIndex, distinct_interval, self_bleu
from cantilena.models import NGram
from cantilena.music import Meter, infer_chords
from cantilena.rules import RULE_SETS
from cantilena.tokenizers import GridEncoding


def main() -> None:
    """Use everything that is compiled once, with the types that commands use."""
    encoding, rng = GridEncoding(), np.random.default_rng(1)
    tokens = rng.integers(0, len(encoding.vocabulary), (4, 32))
    line = encoding.line(tokens)
    for rules in RULE_SETS.values():
        rules.total(line)
    distinct_interval(line, 4, rng, draws=2)
    self_bleu(line)
    pieces = np.arange(line.melodies)
    CopyIndex.from_lines(line, pieces).copies(line, leave_out=pieces)
    model = NGram.fit([*tokens], len(encoding.vocabulary)).tune([*tokens])
    model.step(tokens[:, 0], model.start(len(tokens))[1])
    model.log_probs(tokens)
    pitch, onset = np.array([48, 64, 67, 72]), np.zeros(4, dtype=np.int64)
    infer_chords(pitch, onset, np.full(4, 96), Meter())


if __name__ == "__main__":
    main()
