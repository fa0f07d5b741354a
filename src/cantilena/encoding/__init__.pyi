from .grid import GridEncoding as GridEncoding
from .protocol import Encoding as Encoding
from .protocol import Fit as Fit
from .protocol import Tokens as Tokens
from .protocol import parse_tokens as parse_tokens
