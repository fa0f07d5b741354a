"""The studio: a page to compose, hear and understand melodies on, and the API that it uses."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
