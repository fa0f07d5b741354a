"""How fast melodies are composed: the paper's network beside a window a note, and shipped models as whole processes.

    python benchmarks/composing.py [--rounds 5] [--processes 5]

First the 3 x 1024 LSTM, untrained, on 417 tokens. The paper's way runs a window of 40 tokens through it for each note,
as numbers (our own `--input paper`) or through a table of vectors (the same layers of torch alone); ours carries the
state on and runs one step a note. Both draw through the same code, in turn, in this process; the paper's way draws few
notes, and each note takes it as long. Then `cantilena compose` as a user starts it: from the start of the process to
its first MIDI file and to its end, and, inside a fresh process, how long thirty seconds of music take to compose, which
must not import torch.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn

from cantilena.generation import sample
from cantilena.models import Network, NetworkOptions, SequenceModel, autocast

VOCABULARY, WINDOW, STEPS, FEW = 417, 40, 64, 4
INSIDE = """
import sys, time
from cantilena.generation import ComposeOptions, load
composer = load({bundle!r})
began = time.perf_counter()
composer.compose_many(1, ComposeOptions(seconds=30))
print(time.perf_counter() - began)
assert "torch" not in sys.modules
"""


class Windows(nn.Module):
    """An embedding, torch's layers and a head over the last tokens, for each note anew: a sequence model."""

    def __init__(self) -> None:
        super().__init__()
        self.vocabulary_size = VOCABULARY
        self.table = nn.Embedding(VOCABULARY + 1, 256)
        self.core = nn.LSTM(256, 1024, 3, batch_first=True)
        self.head = nn.Linear(1024, VOCABULARY)

    def start(self, melodies: int) -> tuple[Tensor, Tensor]:
        """Log p of the first token, and the window."""
        return self._after(torch.full((melodies, WINDOW), VOCABULARY))

    def step(self, tokens: np.ndarray, state: Tensor) -> tuple[Tensor, Tensor]:
        """Log p of the next token, and the window."""
        return self._after(torch.cat([state[:, 1:], torch.from_numpy(tokens)[:, None]], dim=1))

    @torch.no_grad()
    def log_probs(self, tokens: np.ndarray) -> Tensor:
        """Log p of the token after each of the windows."""
        return self._after(torch.from_numpy(tokens))[0]

    @torch.no_grad()
    def _after(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        hidden, _ = self.core(self.table(seen))
        return self.head(hidden[:, -1]).float().log_softmax(-1), seen


def a_note(model: SequenceModel, melodies: int, steps: int) -> float:
    """Seconds a note, drawing so many melodies of so many steps."""
    uniforms = np.random.default_rng(1).random((melodies, steps))
    began = time.perf_counter()
    sample(model, uniforms)
    return (time.perf_counter() - began) / (melodies * steps)


def compare_ways(rounds: int) -> None:
    """Print notes a second of the paper's way and ours, and their ratios, in both types."""
    shape = NetworkOptions(layers=3, width=1024, embedding=256, bar_position=False, look_back=())
    ours, literal = Network(shape, VOCABULARY), Network(NetworkOptions(layers=3, width=1024, input="paper"), VOCABULARY)
    embedded = Windows().eval()
    print(f"3 x 1024, notes a second, {torch.get_num_threads()} threads, the best of {rounds} rounds")
    for precision in (torch.float32, torch.bfloat16):
        ours.stepping = precision
        ways: dict[str, Callable[[], float]] = {
            "window, numbers": lambda: a_note(literal, 1, FEW),
            "window, vectors": lambda: a_note(embedded, 1, FEW),
            "window, 256 melodies": lambda: a_note(literal, 256, 1),
            "ours, 1 melody": lambda: a_note(ours, 1, STEPS),
            "ours, 256 melodies": lambda: a_note(ours, 256, STEPS),
        }
        least = dict.fromkeys(ways, float("inf"))
        for _ in range(rounds):
            for name, way in ways.items():
                # Inside the paper's way alone: ours is told its type by `stepping`.
                with autocast(ours.device, precision if name.startswith("window") else torch.float32):
                    least[name] = min(least[name], way())
        rival = min(least["window, numbers"], least["window, vectors"])
        row = {"type": str(precision).removeprefix("torch.")} | {name: round(1 / t, 1) for name, t in least.items()}
        row |= {f"{name}, times the faster window": round(rival / least[name], 1) for name in list(ways)[3:]}
        print(json.dumps(row), flush=True)


def time_process(bundle: str, folder: Path) -> tuple[float, float]:
    """Seconds from the start of `cantilena compose` to its first MIDI file, and to its end."""
    asked = ["compose", bundle, "-n", "1", "--seconds", "30", "--out", str(folder)]
    began = time.perf_counter()
    first = float("inf")
    process = subprocess.Popen([sys.executable, "-m", "cantilena", *asked], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        if first == float("inf") and any(folder.glob("*.mid")):
            first = time.perf_counter() - began
        time.sleep(0.002)
    assert process.returncode == 0
    return first, time.perf_counter() - began


def time_processes(bundle: str, processes: int) -> None:
    """Print the medians of real processes."""
    firsts, ends, inside = [], [], []
    for _ in range(processes):
        with tempfile.TemporaryDirectory() as folder:
            first, end = time_process(bundle, Path(folder) / "melodies")
        command = [sys.executable, "-c", INSIDE.format(bundle=bundle)]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        firsts.append(first)
        ends.append(end)
        inside.append(float(told.stdout))
    row = {
        "model": bundle,
        "first MIDI file, s": round(median(firsts), 3),
        "30 s of music composed in, s": round(median(inside), 3),
        "all files and the copy check, s": round(median(ends), 3),
    }
    print(json.dumps(row), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=5)
    options = parser.parse_args()
    compare_ways(options.rounds)
    print(f"cantilena compose -n 1 --seconds 30: medians of {options.processes} processes")
    for bundle in ("tunes", "tunes+rl"):
        time_processes(bundle, options.processes)


if __name__ == "__main__":
    main()
