"""Composing: sampling, constraints, primers, infilling, latent space of VAEs, and the Composer."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
