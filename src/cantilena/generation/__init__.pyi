from .options import ComposeOptions as ComposeOptions
from .options import SamplingOptions as SamplingOptions
from .sampling import Samples as Samples
from .sampling import choose as choose
from .sampling import sample as sample
