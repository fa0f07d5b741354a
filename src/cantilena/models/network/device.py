"""The device, the number of threads and the precision of networks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path

import torch

from cantilena.errors import UsageError
from cantilena.models.network.recurrence import lstm, needs_own_gradient
from cantilena.runtime import cpu_count

_MIN_PARALLEL = 2**22
"""Multiplications in a step of one layer from which on several threads are faster, if they sleep while they wait."""

_MIN_SPINNING = 2**28
"""The same if they spin: beside busy processes, two threads on two cores took 26 times as long as one at 2^22 (training
1 x 128), 4 times at 2^26 and 2^27 (1 x 512; tuning 256), and up to twice as long from here on (2 x 1024)."""

_MAX_ROUNDING = 0.05
"""Largest relative change of a gradient by bfloat16; it is .004 to .006 if the kernel is right."""


def choose_device(name: str = "auto", local_rank: int | None = None) -> torch.device:
    """The device of that name; `auto` is a CUDA card if there is one, else the CPU.

    `mps` must be asked for: small recurrent networks are faster on the CPU of an Apple computer.

    Args:
        name: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        local_rank: the rank among the processes that train together on this machine, each of which gets the CUDA card
            of its rank; None for a single process.

    Raises:
        UsageError: the device is unknown, or this machine lacks it.

    Examples:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if local_rank is not None:
        if name == "cuda" or (name == "auto" and cards):
            if 0 < cards <= local_rank:
                raise UsageError(
                    f"{local_rank + 1} processes or more on a machine with {cards} CUDA card{'s' if cards > 1 else ''}",
                    "start as many processes as there are cards, or use --device cpu",
                )
            name = f"cuda:{local_rank}"
        elif name not in ("auto", "cpu"):
            raise UsageError(f"several processes cannot share {name}", "use --device cuda, cpu or auto")
    if name == "auto":
        name = "cuda" if cards else "cpu"
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise UsageError(f"there is no device '{name}'", "choose auto, cpu, cuda or mps")
    is_there = torch.backends.mps.is_available() if name == "mps" else name == "cpu" or int(name[5:] or 0) < cards
    if not is_there:
        raise UsageError(f"this machine has no {name}", "use --device cpu or --device auto")
    return torch.device(name)


def use_threads(threads: int) -> None:
    """Set the number of CPU threads; 0 leaves torch's choice.

    Raises:
        UsageError: the number is negative.
    """
    if threads < 0:
        raise UsageError(f"{threads} threads", "give 1 or more, or 0 for all")
    if threads:
        torch.set_num_threads(threads)


@contextmanager
def limit_threads(width: int, rows: int, processes: int = 1) -> Iterator[int]:
    """Use one thread if the steps of a layer are too small to be parallel, else all; yields the number.

    Threads synchronise at every step of a recurrent layer. If a step has little more than a million multiplications,
    two threads gain next to nothing on an idle machine and are many times slower on a busy one. OpenMP's threads spin
    while they wait, unless `OMP_WAIT_POLICY` was `PASSIVE` when torch was imported, as the command line sets it: then
    more work is left to one thread.

    Args:
        width: of the layers.
        rows: melodies in a batch.
        processes: processes that share the CPUs of this machine.
    """
    before = torch.get_num_threads()
    most = before if processes == 1 else max(min(before, cpu_count() // processes), 1)
    sleeps = os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE"
    threads = most if rows * 4 * width * width >= (_MIN_PARALLEL if sleeps else _MIN_SPINNING) else 1
    torch.set_num_threads(threads)
    try:
        yield threads
    finally:
        torch.set_num_threads(before)


def choose_precision(name: str, device: torch.device, width: int = 8) -> torch.dtype:
    """bfloat16 or float32 for the products of training, and of stepping a large network (`Network.stepping`).

    Weights stay float32. Log probabilities of a network that steps in bfloat16 were off by 0.0003 nats on average and
    0.008 at most, on models that ship and on one of 3 x 1024; but a seed may give another melody.

    `auto` is bfloat16 if the hardware supports it natively and an LSTM can train in it. The hardware is queried and not
    timed, so that a resumed run computes the same bits.

    Args:
        name: `auto`, `float32` or `bfloat16`.
        device: of the network.
        width: of its LSTM layers.

    Raises:
        UsageError: the precision is unknown, or bfloat16 is not supported.

    Examples:
        >>> choose_precision("float32", torch.device("cpu"))
        torch.float32
    """
    if name == "float32":
        return torch.float32
    if name == "bfloat16":
        if not supports_bfloat16(device, width):
            raise UsageError(
                f"LSTM layers of {width} cells cannot learn in bfloat16 here", "use --precision float32 or auto"
            )
        return torch.bfloat16
    if name != "auto":
        raise UsageError(f"there is no precision '{name}'", "choose auto, float32 or bfloat16")
    native = torch.cuda.is_bf16_supported() if device.type == "cuda" else device.type == "cpu" and cpu_has_bfloat16()
    return torch.bfloat16 if native and supports_bfloat16(device, width) else torch.float32


@lru_cache(maxsize=32)
def supports_bfloat16(device: torch.device, width: int = 8) -> bool:
    """Whether an LSTM layer of that width can train in bfloat16 on a device, found by computing a gradient.

    Some processors have no kernel for it, and a kernel may be silently wrong, as that of oneDNN in torch 2.13 is from
    1024 cells on if the processor has AMX (`recurrence.py` replaces it).
    """
    try:
        exact, rounded = (_gradient(device, width, precision) for precision in (torch.float32, torch.bfloat16))
    except RuntimeError:
        return False
    return float((rounded - exact).norm()) < _MAX_ROUNDING * float(exact.norm())


def _gradient(device: torch.device, width: int, precision: torch.dtype) -> torch.Tensor:
    """The gradient of a small loss by the weights of one LSTM layer, from fixed weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        layer, x = torch.nn.LSTM(width, width, batch_first=True).to(device), torch.randn(2, 3, width).to(device)
    with torch.enable_grad():
        with autocast(device, precision):
            hidden, _ = lstm(layer, x) if needs_own_gradient(layer, device) else layer(x)
        hidden.float().square().sum().backward()
    return torch.cat([weight.grad.flatten() for weight in layer.parameters() if weight.grad is not None]).float()


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[object]:
    """A context in which products are computed in that precision."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)


def cpu_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU supports bfloat16 natively, according to Linux; False on other systems."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(flags.split()))
