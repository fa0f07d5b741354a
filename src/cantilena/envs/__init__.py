"""Gymnasium environments; importing this package registers them."""

import lazy_loader

from cantilena.envs.registration import register_with_gymnasium

register_with_gymnasium()
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
