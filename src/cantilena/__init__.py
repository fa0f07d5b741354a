"""Cantilena: learn melodies, tune them on rules of music theory, compose, and measure honestly.

The public names are loaded when first used, so that `import cantilena` costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
