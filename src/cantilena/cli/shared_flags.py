"""Flags that many commands share, each with one name, one meaning and one help text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg

__all__ = ["Count", "Device", "Flags", "Jobs", "Positional", "Seed"]

Seed = Annotated[int, arg(help="The same seed, machine and versions give the same result.")]
"""`--seed`."""

Count = Annotated[int, arg(aliases=["-n"], help="How many melodies.")]
"""`-n`."""

Jobs = Annotated[int, arg(help="How many processes work at once; 0 takes one a processor.")]
"""`--jobs`."""

Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"], arg(help="Where networks compute; auto takes an accelerator that is there.")
]
"""`--device`."""


@dataclass(frozen=True)
class _Flags:
    json: Annotated[FlagCreatePairsOff[bool], arg(help_behavior_hint="")] = False
    """Print one JSON object on stdout, and all else on stderr."""
    debug: Annotated[FlagCreatePairsOff[bool], arg(help_behavior_hint="")] = False
    """Show the traceback where something fails."""


Flags = Annotated[_Flags, arg(name="")]
"""`--json` and `--debug`, which the frame itself obeys; every command takes them as its last parameter `flags`."""
