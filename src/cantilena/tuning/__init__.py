"""Reinforcement learning on rules of music theory, whole melodies at once."""

import lazy_loader

from cantilena.tuning.registration import register_with_gymnasium

register_with_gymnasium()
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
