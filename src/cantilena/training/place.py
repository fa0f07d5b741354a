"""Which of several processes this one is, by what the starter of them says in the environment: torchrun, or another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cantilena.errors import UsageError

START_WITH = "start with torchrun, which sets what is needed, or unset WORLD_SIZE to train in one process"
"""What to do where the environment makes no sense."""


@dataclass(frozen=True)
class Place:
    """The place of a process among those that were started together.

    Args:
        rank: its number, from 0; process 0 speaks, reads and writes for all.
        world: how many there are.
        local_rank: its number on this machine, which is the number of its card too.
        local_world: how many there are on this machine.

    Example:
        >>> Place().several, Place(rank=1, world=2, local_rank=1, local_world=2).first
        (False, False)
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.world > 1

    @property
    def first(self) -> bool:
        """Whether this is process 0."""
        return self.rank == 0


def placed(environment: Mapping[str, str]) -> Place:
    """The place that the environment gives this process; alone where it tells of no others.

    Args:
        environment: its variables, as torchrun sets them; a WORLD_SIZE above 1 is what tells of others.

    Raises:
        UsageError: variables that are missing or make no sense.

    Example:
        >>> placed({"PATH": "/bin"}).several
        False
        >>> placed({"WORLD_SIZE": "4", "RANK": "3", "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "1",
        ...         "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"})
        Place(rank=3, world=4, local_rank=1, local_world=2)
    """
    world = _number(environment, "WORLD_SIZE", 1, 65_536, missing=1)
    if world == 1:
        return Place()
    local_world = _number(environment, "LOCAL_WORLD_SIZE", 1, world, missing=world)
    rank = _number(environment, "RANK", 0, world - 1)
    local_rank = _number(environment, "LOCAL_RANK", 0, local_world - 1)
    if not environment.get("MASTER_ADDR", "").strip():
        raise _missing(environment, "MASTER_ADDR")
    _number(environment, "MASTER_PORT", 1, 65_535)
    return Place(rank, world, local_rank, local_world)


def speaks(environment: Mapping[str, str]) -> bool:
    """Whether this process may print: process 0, and whoever does not know its place and must say so.

    Args:
        environment: as for `placed`.

    Example:
        >>> speaks({}), speaks({"WORLD_SIZE": "two"})
        (True, True)
    """
    try:
        return placed(environment).first
    except UsageError:
        return True


def _number(environment: Mapping[str, str], name: str, least: int, most: int, *, missing: int | None = None) -> int:
    text = environment.get(name, "").strip()
    if not text and missing is not None:
        return missing
    if not text:
        raise _missing(environment, name)
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
        raise UsageError(f"{name} is '{text}', not a whole number from {least} to {most}", START_WITH)
    return int(text)


def _missing(environment: Mapping[str, str], name: str) -> UsageError:
    return UsageError(f"WORLD_SIZE is {environment['WORLD_SIZE']}, but {name} is not given", START_WITH)
