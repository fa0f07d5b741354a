"""Where networks compute, on how many threads, and how precisely: decided here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path

import torch

from cantilena.errors import UsageError
from cantilena.models.network.recurrence import learns_here, lstm
from cantilena.runtime import cpu_count

_WORTH_SHARING = 2**22
"""Products and sums in a step of one layer from which on threads share it."""


_ROUNDING = 0.05
"""Share of a gradient by which rounding to bfloat16 may change it: it is .004 to .006 where the kernel is right."""


def choose_device(name: str = "auto", local_rank: int | None = None) -> torch.device:
    """The device of that name; `auto` takes a CUDA card where there is one, else the processor.

    Apple's `mps` is taken only when asked for: small recurrent networks are faster on its processor.

    Args:
        name: of the device.
        local_rank: this process's number among those of this machine that train together, each of which takes the card
            of its number; None where it trains alone.

    Raises:
        UsageError: an unknown device, or one that this machine lacks.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    if local_rank is not None:
        name = _of_its_own(name, local_rank)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if name == "cuda" or (name.startswith("cuda:") and name[5:].isdecimal()):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(name[5:] or 0) < count:
            return torch.device(name)
        raise UsageError(f"this machine has no {name}", "use --device cpu or --device auto")
    if name == "mps":
        if torch.backends.mps.is_available():
            return torch.device("mps")
        raise UsageError("this machine has no mps", "use --device cpu or --device auto")
    raise UsageError(f"there is no device '{name}'", "choose auto, cpu, cuda or mps")


def _of_its_own(name: str, local_rank: int) -> str:
    """The name of what one of several processes on a machine computes on."""
    if name == "cuda" or (name == "auto" and torch.cuda.is_available()):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if 0 < count <= local_rank:
            raise UsageError(
                f"{local_rank + 1} processes or more on a machine with {count} CUDA card{'s' if count > 1 else ''}",
                "start as many processes as there are cards, or use --device cpu",
            )
        return f"cuda:{local_rank}"
    if name not in ("auto", "cpu"):
        raise UsageError(f"several processes cannot share {name}", "use --device cuda, cpu or auto")
    return name


def use_threads(threads: int) -> None:
    """Compute on so many processor threads; 0 leaves torch's own choice.

    Raises:
        UsageError: fewer than 0.
    """
    if threads < 0:
        raise UsageError(f"{threads} threads", "give 1 or more, or 0 for all")
    if threads:
        torch.set_num_threads(threads)


@contextmanager
def threads_worth_it(width: int, rows: int, processes: int = 1) -> Iterator[int]:
    """One thread for what follows where a step is too small to share, else all there are; gives the number.

    Threads wait for each other at every step of a recurrent layer. Where a step is a product of little more than a
    million terms, two threads gain next to nothing on an idle machine and lose by a factor on a busy one.

    Args:
        width: of the layers.
        rows: melodies that step together.
        processes: how many compute at once on this machine, and share its processors.
    """
    before = torch.get_num_threads()
    most = before if processes == 1 else max(min(before, cpu_count() // processes), 1)
    threads = most if rows * 4 * width * width >= _WORTH_SHARING else 1
    torch.set_num_threads(threads)
    try:
        yield threads
    finally:
        torch.set_num_threads(before)


def choose_precision(name: str, device: torch.device, width: int = 8) -> torch.dtype:
    """bfloat16 or float32 for the products of training, and of stepping a large network (`Network.stepping`).

    What is learned stays float32 in any case. Log probabilities of a network that steps in bfloat16 were off by 0.0003
    nats on average and 0.008 at most, on models that ship and on one of 3 x 1024; but a seed may give another melody.

    `auto` is bfloat16 where the hardware multiplies it natively and an LSTM learns in it. It asks the hardware and does
    not time it, so that the same machine always answers the same and a resumed run computes the same bits.

    Args:
        name: `auto`, `float32` or `bfloat16`.
        device: where the network learns.
        width: of its LSTM layers.

    Raises:
        UsageError: an unknown precision, or bfloat16 where LSTM layers cannot learn in it.

    Example:
        >>> choose_precision("float32", torch.device("cpu"))
        torch.float32
    """
    if name == "float32":
        return torch.float32
    if name == "bfloat16":
        if not computes_in_bfloat16(device, width):
            raise UsageError(
                f"LSTM layers of {width} cells cannot learn in bfloat16 here", "use --precision float32 or auto"
            )
        return torch.bfloat16
    if name != "auto":
        raise UsageError(f"there is no precision '{name}'", "choose auto, float32 or bfloat16")
    gains = (
        torch.cuda.is_bf16_supported() if device.type == "cuda" else device.type == "cpu" and processor_has_bfloat16()
    )
    return torch.bfloat16 if gains and computes_in_bfloat16(device, width) else torch.float32


@lru_cache(maxsize=32)
def computes_in_bfloat16(device: torch.device, width: int = 8) -> bool:
    """Whether an LSTM layer of that width can learn in bfloat16 there. It is tried.

    Some processors have no kernel for it, and a kernel may be wrong without a word, as oneDNN's is in torch 2.13 on
    processors with AMX from 1024 cells on (`recurrence.py` stands in for it there). A right one is off by less than a
    hundredth.
    """
    try:
        exact, rounded = (_gradient(device, width, precision) for precision in (torch.float32, torch.bfloat16))
    except RuntimeError:
        return False
    return float((rounded - exact).norm()) < _ROUNDING * float(exact.norm())


def _gradient(device: torch.device, width: int, precision: torch.dtype) -> torch.Tensor:
    """The gradient of a small loss by the weights of one LSTM layer, the same weights each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        layer, sounds = torch.nn.LSTM(width, width, batch_first=True).to(device), torch.randn(2, 3, width).to(device)
    with torch.enable_grad():
        with autocast(device, precision):
            heard, _ = lstm(layer, sounds) if learns_here(layer, device) else layer(sounds)
        heard.float().square().sum().backward()
    return torch.cat([weight.grad.flatten() for weight in layer.parameters() if weight.grad is not None]).float()


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[object]:
    """A context in which products are computed in that precision."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)


def processor_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bfloat16 natively, by what Linux says of it; elsewhere no.

    Args:
        cpuinfo: where Linux says it.
    """
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(flags.split()))
