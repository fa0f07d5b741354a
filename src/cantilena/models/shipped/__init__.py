"""The bundles that ship with the package; `scripts/build_bundles.py` makes them."""

DEFAULT = "tunes+rl"
"""The default model: tunes, tuned on the rules `cantilena` over eight bars."""

DEFAULT_VAE = "tunes-vae"
"""The default model of interpolation and variation."""
