from .loop import Trained as Trained
from .loop import train as train
from .options import TRANSFORMER_RATE as TRANSFORMER_RATE
from .options import TrainingOptions as TrainingOptions
from .options import preset as preset
from .transposition import transpositions as transpositions
