from .melody_env import MelodyEnv as MelodyEnv
from .vector_env import MelodyVectorEnv as MelodyVectorEnv
