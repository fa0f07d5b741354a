"""The environment in Gymnasium's registry: `gymnasium.make("cantilena/Melody-v0")` once this room has been imported.

Libraries register their environments when they are imported. But importing Gymnasium here would slow every command
down, so where it has not been imported yet, registering waits until somebody does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MELODY = "cantilena/Melody-v0"
"""What `gymnasium.make` and `gymnasium.make_vec` know the environment by."""


def register_with_gymnasium() -> None:
    """Register now where Gymnasium has been imported, else as soon as it is."""
    if "gymnasium" in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _WaitForGymnasium())


def _register() -> None:
    from gymnasium.envs.registration import register, registry

    if MELODY not in registry:
        register(
            id=MELODY,
            entry_point="cantilena.envs.melody_env:MelodyEnv",
            vector_entry_point="cantilena.envs.vector_env:MelodyVectorEnv",
        )


class _WaitForGymnasium(MetaPathFinder):
    """Finds nothing itself: has Gymnasium found by the other finders, and registers when it has been executed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "gymnasium":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = next(filter(None, (finder.find_spec(fullname, path, target) for finder in others)), None)
        if found is not None and found.loader is not None:
            execute = found.loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                _register()

            found.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return found
