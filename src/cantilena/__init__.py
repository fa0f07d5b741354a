"""Cantilena: train models of melodies, tune them on rules of music theory, compose, and evaluate.

The public names are loaded when they are first used: `import cantilena` imports no library.

    trained = cantilena.train("tunes", preset="quick")
    tuned = cantilena.tune(trained.bundle, rules="cantilena", updates=50)
    melody = cantilena.load(tuned.bundle).compose(bars=8, seed=1)
    cantilena.evaluate({"tuned": tuned.bundle}, against="tunes").to_dict()
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
