"""What every page that we serve has in common: who may come in, how it is refused, its files, and the server's run."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
