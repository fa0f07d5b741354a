"""Compose with an exported model of the grid, by numpy and ONNX Runtime alone.

cantilena export tunes+rl-tuner --out tunes.onnx
python examples/onnx_step.py tunes.onnx
"""

import json
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
about, rng = session.get_modelmeta().custom_metadata_map, np.random.default_rng(1)
given = {}
for port in session.get_inputs():  # one melody, and a state of zeros
    shape = [size if isinstance(size, int) else 1 for size in port.shape]
    given[port.name] = np.zeros(shape, "float32" if "float" in port.type else "int64")
given["tokens"][:] = int(about["start"])
if "steps_per_bar" in given:
    given["steps_per_bar"][:] = 16  # 4/4 in sixteenths
for _ in range(64):
    log_probs, *state = session.run(None, given)
    given |= zip([name for name in given if name.startswith("state_")], state, strict=True)
    chances = np.exp(log_probs[0, -1].astype(np.float64))
    given["tokens"][:] = rng.choice(len(chances), p=chances / chances.sum())
    print(json.loads(about["vocabulary"])[given["tokens"].item()], end=" ")
