"""Arrays in an .npz file, read as if an enemy had written it.

A header's shape is believed only after it was held against the limits, no more bytes are read than it asks for, and
Python objects are never loaded.
"""

from __future__ import annotations

import math
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cantilena.errors import InputError

LARGEST = 512 * 2**20
"""Bytes that all arrays together may hold, and that the file may have."""

MOST = 10_000
"""Arrays in a file."""

_HINT = "write it again with numpy.savez, one array of floating point numbers for each variable"
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, TypeError, SyntaxError, tokenize.TokenError,
    NotImplementedError, RuntimeError, MemoryError,
)  # fmt: skip
"""What zipfile and numpy raise at bytes that are not theirs; a KeyError is told apart."""


class ArrayArchive:
    """An .npz file: its arrays' names at once, the arrays when they are asked for.

    Args:
        path: the file.

    Raises:
        InputError: it is missing, too large, or no such file.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "weights.npz"
        >>> np.savez(path, **{"rnn/bias": np.zeros(3)})
        >>> archive = ArrayArchive(path)
        >>> archive.names, archive.read(["rnn/bias"])["rnn/bias"].dtype
        (('rnn/bias',), dtype('float32'))
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise InputError(f"{path} {'is not a file' if path.exists() else 'does not exist'}", "name an .npz file")
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} has more than {LARGEST >> 20} MB", "no Note RNN is as large; name another file")
        try:
            with zipfile.ZipFile(path) as file:
                members = [member.filename for member in file.infolist()]
        except _DAMAGED as error:
            raise InputError(f"{path} is not an .npz file: {_said(error)}", _HINT) from error
        if len(members) > MOST:
            raise InputError(f"{path} holds {len(members)} arrays", _HINT)
        self.names = tuple(member.removesuffix(".npy") for member in members)
        if len(set(self.names)) < len(self.names):
            raise InputError(f"{path} holds two arrays of one name", _HINT)

    def read(self, names: Iterable[str]) -> Mapping[str, NDArray[np.float32]]:
        """The arrays of those names, every number finite.

        Raises:
            InputError: one is damaged, too large, not of floating point numbers, or not all finite.
        """
        arrays: dict[str, NDArray[np.float32]] = {}
        left = LARGEST
        try:
            with zipfile.ZipFile(self.path) as file:
                for name in names:
                    with file.open(f"{name}.npy") as member:
                        arrays[name] = self._array(name, member, left)
                    left -= arrays[name].nbytes
        except KeyError as error:
            raise InputError(f"{self.path} holds something that is no array: {_short(name)}", _HINT) from error
        except _DAMAGED as error:
            raise InputError(f"{self.path} is damaged at {_short(name)}: {_said(error)}", _HINT) from error
        return arrays

    def _array(self, name: str, member: IO[bytes], limit: int) -> NDArray[np.float32]:
        version = npy.read_magic(member)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"an array of version {version[0]}")
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings(action="ignore"):  # of headers that Python 2 wrote
            shape, by_columns, kind = header(member)
        if kind.hasobject:
            raise InputError(f"{self.path} holds Python objects at {_short(name)}, which are never loaded", _HINT)
        if kind.kind != "f" or kind.itemsize not in (2, 4, 8):
            raise InputError(f"{self.path} holds no floating point numbers at {_short(name)} but {kind}", _HINT)
        size = math.prod(shape) * kind.itemsize
        if min(shape, default=0) < 0 or max(size, math.prod(shape) * 4) > limit:
            raise InputError(f"{self.path} asks for too much memory at {_short(name)}: shape {shape}"[:200], _HINT)
        content = member.read(size)
        if len(content) < size:
            raise ValueError(f"{len(content)} bytes instead of {size}")
        array = np.frombuffer(content, dtype=kind).reshape(shape, order="F" if by_columns else "C")
        with np.errstate(over="ignore"):
            single = array.astype(np.float32)
        if not np.isfinite(single).all():
            raise InputError(f"{self.path} holds numbers that are not finite at {_short(name)}", _HINT)
        return single


def _said(error: BaseException) -> str:
    """What a library said, in a line that fits one."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def _short(name: str) -> str:
    return repr(name[:80])
