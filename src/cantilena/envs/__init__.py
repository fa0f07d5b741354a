"""Gymnasium environments; importing this package registers them."""

import lazy_loader
from gymnasium.envs.registration import register

register(
    id="cantilena/Melody-v0",
    entry_point="cantilena.envs.melody_env:MelodyEnv",
    vector_entry_point="cantilena.envs.vector_env:MelodyVectorEnv",
)
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
