"""The bundles that ship with the package; `scripts/build_bundles.py` makes them."""
