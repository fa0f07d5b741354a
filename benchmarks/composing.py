"""Speed of composing: a stateful network against the paper's sliding window, and `cantilena compose` as a process.

    python benchmarks/composing.py [--rounds 5] [--processes 5]

The first part samples from the untrained 3 x 1024 LSTM with 417 tokens. The paper's method runs a window of 40 tokens
through the network for each note, as numbers (`--input paper`) or through an embedding (the same torch layers); ours
keeps the state and runs one step per note. Both use the same sampling code in turns in this process; the paper's method
samples few notes, since all notes take the same time. The second part runs `cantilena compose`: the time from the start
of the process to the first MIDI file and to its end, and, within a new process, the time to compose thirty seconds of
music, which must not import torch. The third part composes over chords and without, in turns, and finds chords for 32
bars.
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

from cantilena.generation import harmonise, load, sample
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
    """A sequence model without state: an embedding, LSTM layers and a head over the last tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.vocabulary_size = VOCABULARY
        self.table = nn.Embedding(VOCABULARY + 1, 256)
        self.core = nn.LSTM(256, 1024, 3, batch_first=True)
        self.head = nn.Linear(1024, VOCABULARY)

    def start(self, melodies: int) -> tuple[Tensor, Tensor]:
        """Return log p of the first token, and the window."""
        return self._predict(torch.full((melodies, WINDOW), VOCABULARY))

    def step(self, tokens: np.ndarray, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return log p of the next token, and the window."""
        return self._predict(torch.cat([state[:, 1:], torch.from_numpy(tokens)[:, None]], dim=1))

    @torch.no_grad()
    def log_probs(self, tokens: np.ndarray) -> Tensor:
        """Return log p of the token after each window."""
        return self._predict(torch.from_numpy(tokens))[0]

    @torch.no_grad()
    def _predict(self, window: Tensor) -> tuple[Tensor, Tensor]:
        hidden, _ = self.core(self.table(window))
        return self.head(hidden[:, -1]).float().log_softmax(-1), window


def seconds_per_note(model: SequenceModel, melodies: int, steps: int) -> float:
    """Sample melodies, and return the seconds per note."""
    uniforms = np.random.default_rng(1).random((melodies, steps))
    began = time.perf_counter()
    sample(model, uniforms)
    return (time.perf_counter() - began) / (melodies * steps)


def compare_methods(rounds: int) -> None:
    """Print notes per second of both methods and their ratios, in both precisions."""
    shape = NetworkOptions(layers=3, width=1024, embedding=256, bar_position=False, look_back=())
    ours, literal = Network(shape, VOCABULARY), Network(NetworkOptions(layers=3, width=1024, input="paper"), VOCABULARY)
    embedded = Windows().eval()
    print(f"3 x 1024, notes per second, {torch.get_num_threads()} threads, best of {rounds} rounds")
    for precision in (torch.float32, torch.bfloat16):
        ours.stepping = precision
        methods: dict[str, Callable[[], float]] = {
            "window, numbers": lambda: seconds_per_note(literal, 1, FEW),
            "window, vectors": lambda: seconds_per_note(embedded, 1, FEW),
            "window, 256 melodies": lambda: seconds_per_note(literal, 256, 1),
            "ours, 1 melody": lambda: seconds_per_note(ours, 1, STEPS),
            "ours, 256 melodies": lambda: seconds_per_note(ours, 256, STEPS),
        }
        least = dict.fromkeys(methods, float("inf"))
        for _ in range(rounds):
            for name, method in methods.items():
                # Only for the paper's method: ours gets its precision by `stepping`.
                with autocast(ours.device, precision if name.startswith("window") else torch.float32):
                    least[name] = min(least[name], method())
        faster_window = min(least["window, numbers"], least["window, vectors"])
        row = {"type": str(precision).removeprefix("torch.")} | {name: round(1 / t, 1) for name, t in least.items()}
        row |= {f"{name}, times the faster window": round(faster_window / least[name], 1) for name in list(methods)[3:]}
        print(json.dumps(row), flush=True)


def compare_chords(bundle: str, rounds: int) -> None:
    """Print the ratio of composing 16 bars over chords to composing them without, and the time to harmonise 32 bars."""
    composer = load(bundle)
    chords = {"without": "", "over chords": "C | Am | F G7 | C"}
    least = dict.fromkeys(chords, float("inf"))
    for number in range(rounds + 1):
        for name, text in chords.items():
            began = time.process_time()
            composer.compose_many(16, bars=16, chords=text, seed=number)
            least[name] = min(least[name], time.process_time() - began)
    row = {"16 melodies of 16 bars, over chords against without": least["over chords"] / least["without"]}
    tune = composer.compose(bars=32, seed=1)
    for count in (1, 3):
        began = time.perf_counter()
        harmonise(tune, count)
        row[f"32 bars harmonised, {count} harmonies, ms"] = 1000 * (time.perf_counter() - began)
    print(json.dumps({name: round(value, 2) for name, value in row.items()}), flush=True)


def time_process(bundle: str, folder: Path) -> tuple[float, float]:
    """Return the seconds from the start of `cantilena compose` to its first MIDI file, and to its end."""
    arguments = ["compose", bundle, "-n", "1", "--seconds", "30", "--out", str(folder)]
    began = time.perf_counter()
    first = float("inf")
    process = subprocess.Popen([sys.executable, "-m", "cantilena", *arguments], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        if first == float("inf") and any(folder.glob("*.mid")):
            first = time.perf_counter() - began
        time.sleep(0.002)
    assert process.returncode == 0
    return first, time.perf_counter() - began


def time_processes(bundle: str, processes: int) -> None:
    """Print the medians of several processes."""
    firsts, ends, inside = [], [], []
    for _ in range(processes):
        with tempfile.TemporaryDirectory() as folder:
            first, end = time_process(bundle, Path(folder) / "melodies")
        command = [sys.executable, "-c", INSIDE.format(bundle=bundle)]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        firsts.append(first)
        ends.append(end)
        inside.append(float(result.stdout))
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
    compare_methods(options.rounds)
    print(f"cantilena compose -n 1 --seconds 30: medians of {options.processes} processes")
    for bundle in ("tunes", "tunes+rl"):
        time_processes(bundle, options.processes)
    compare_chords("tunes", options.rounds)


if __name__ == "__main__":
    main()
