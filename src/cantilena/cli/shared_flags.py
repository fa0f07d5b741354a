"""Flags that many commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

__all__ = ["Count", "Flags", "Positional", "Resume", "Seed", "StartAnew"]

Seed = Annotated[int, arg(help="The same seed, machine and versions give the same result.")]
"""`--seed`."""

Count = Annotated[int, arg(aliases=["-n"], help="How many melodies.")]
"""`-n`."""

Resume = Annotated[bool, arg(help="Resume an interrupted run, to the identical result.")]
"""`--resume`."""

StartAnew = Annotated[bool, arg(help="Start over in a folder that holds another run.")]
"""`--force` of a command that fills a run folder."""


@dataclass(frozen=True)
class _Flags:
    json: Annotated[FlagCreatePairsOff[bool], arg(help_behavior_hint="")] = False
    """Print one JSON object on stdout, and all else on stderr."""
    debug: Annotated[FlagCreatePairsOff[bool], arg(help_behavior_hint="")] = False
    """Show the traceback where something fails."""


Flags = Annotated[_Flags, arg(name="")]
"""`--json` and `--debug`, which `main` handles; every command has them as its last parameter `flags`."""
