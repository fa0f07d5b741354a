"""Rules of music theory: one definition each, read by the reward and by the metrics."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
