"""What the studio and the listening test share: request checks, error responses, page files, running the server."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
