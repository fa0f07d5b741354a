"""The studio: a web page to compose, hear and understand melodies, and its HTTP API."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
