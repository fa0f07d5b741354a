"""Pipelines that join the other packages: train, tune, sweep, evaluate, reproduce, cards, styles, rules."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
