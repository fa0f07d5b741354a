from .bars import Bars as Bars
from .protocol import Array as Array
from .protocol import SequenceModel as SequenceModel
from .protocol import State as State
