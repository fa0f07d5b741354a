from .bars import Bars as Bars
from .protocol import Array as Array
from .protocol import SequenceModel as SequenceModel
from .protocol import State as State
from .protocol import log_probs_in_bars as log_probs_in_bars
from .protocol import numpy_of as numpy_of
from .protocol import start_in_bars as start_in_bars
