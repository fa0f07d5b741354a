"""torch's optimizers without its compiler.

The methods of torch's optimizers import `torch._dynamo` when they are first called, to tell its compiler to leave them
alone: one to three seconds of every process that trains. Nothing of ours is compiled, so that these have the methods
beneath.
"""

from __future__ import annotations

import inspect

import torch


class Adam(torch.optim.Adam):
    """`torch.optim.Adam`, with the same results.

    Examples:
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> optimizer = Adam([weight], lr=0.5)
        >>> weight.sum().backward()
        >>> optimizer.step()
        >>> [round(value, 6) for value in weight.tolist()]
        [0.5, 0.5]
    """


class AdamW(torch.optim.AdamW):
    """`torch.optim.AdamW`, with the same results."""


for _kind in (Adam, AdamW):
    for _name in ("add_param_group", "load_state_dict", "state_dict", "zero_grad"):
        setattr(_kind, _name, inspect.unwrap(getattr(_kind, _name)))
    _kind.step = torch.no_grad()(inspect.unwrap(_kind.step))  # type: ignore[method-assign]
