from .score import Part as Part
from .score import Score as Score
