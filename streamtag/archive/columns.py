"""Columns of Arrow made of NumPy's buffers: no object for each score, and none of pandas.

pyarrow's own conversions load pandas wherever it is installed, which is as much memory as all of an archive's rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtag.errors import StreamtagError

try:
    import pyarrow as pa
except ImportError as error:
    raise StreamtagError("an archive needs the extra 'archive': pip install 'streamtag[archive]'") from error

__all__ = ["lists", "numbers", "structs", "texts"]


def numbers(values: Sequence[float | None] | NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Return a column of numbers; None is a null. An array is taken as it is, without a copy."""
    if isinstance(values, np.ndarray):
        return pa.Array.from_buffers(kind, values.size, [None, pa.py_buffer(np.ascontiguousarray(values))])
    there = [value is not None for value in values]
    filled = np.array([0 if value is None else value for value in values], kind.to_pandas_dtype())
    return pa.Array.from_buffers(kind, len(filled), [_bits(there), pa.py_buffer(filled)])


def texts(values: Sequence[str | None]) -> pa.Array:
    """Return a column of texts; None is a null."""
    encoded = [(value or "").encode() for value in values]
    buffers = [_bits([value is not None for value in values]), _offsets(map(len, encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), [*buffers, pa.py_buffer(b"".join(encoded))])


def lists(lengths: Sequence[int | None], items: pa.Array) -> pa.Array:
    """Return a column of lists of these lengths, which hold the items one after the other; None is a null."""
    buffers = [_bits([length is not None for length in lengths]), _offsets(length or 0 for length in lengths)]
    return pa.Array.from_buffers(pa.list_(items.type), len(lengths), buffers, children=[items])


def structs(**fields: pa.Array) -> pa.Array:
    """Return a column of structs whose fields are these columns, all of one length."""
    kind = pa.struct([(name, column.type) for name, column in fields.items()])
    return pa.Array.from_buffers(kind, len(next(iter(fields.values()))), [None], children=list(fields.values()))


def _bits(there: list[bool]) -> pa.Buffer | None:
    return None if all(there) else pa.py_buffer(np.packbits(there, bitorder="little"))


def _offsets(lengths: Any) -> pa.Buffer:
    return pa.py_buffer(np.cumsum([0, *lengths], dtype=np.int32))
