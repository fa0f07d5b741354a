"""From a folder of scores to a dataset of melodies, and the corpus that ships with the package."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
