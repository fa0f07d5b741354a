from .app import make_app as make_app
from .options import LIMITS as LIMITS
from .options import Limits as Limits
from .options import StudioOptions as StudioOptions
from .serving import serve as serve
