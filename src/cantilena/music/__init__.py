"""Musical values: Pitch, Key, Meter, Tempo, Note, Melody, Line.

Time is counted in ticks, 24 a quarter note; only `Tempo` turns seconds into ticks.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
