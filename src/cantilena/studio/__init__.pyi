from .app import make_app as make_app
from .app import serve as serve
from .options import LIMITS as LIMITS
from .options import Limits as Limits
from .options import StudioOptions as StudioOptions
