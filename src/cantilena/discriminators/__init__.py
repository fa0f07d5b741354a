"""Classifiers that tell human melodies from generated ones: two-sample tests, rewards, styles."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
