"""The bundles that ship with the package; `scripts/build_bundles.py` makes them."""

DEFAULT = "tunes+rl"
"""What composes where no model is named: tunes, tuned on our own rules over eight bars."""

DEFAULT_VAE = "tunes-vae"
"""What goes from one melody to another and varies them where no model is named."""
