"""The bundles that ship with the package; `scripts/build_bundles.py` makes them."""

DEFAULT = "tunes"
"""The default model. `tunes+rl` is told from people's melodies less, but differs from them in more numbers and keeps
fewer rules (docs/tuning.md)."""

DEFAULT_VAE = "tunes-vae"
"""The default model of interpolation and variation."""
