from .extraction import Extracted as Extracted
from .extraction import extract as extract
from .options import ReadOptions as ReadOptions
