"""Magnitude spectra of overlapping frames, by products of small matrices.

A transform of 512 points in two steps (Cooley and Tukey, "An Algorithm for the Machine Calculation of Complex Fourier
Series", 1965). With n = 16 a + b and k = r + 32 j,

    X[k] = sum over b of exp(-2 pi i b j / 16) Y[r, b],
    Y[r, b] = sum over a of exp(-2 pi i n r / 512) window[n] x[n].

A window of 400 samples leaves 25 values of a and is part of the inner matrices. Samples are real: what residue r has
above half the sample rate are the conjugates of residue 32 - r, so r = 0 ... 16 are enough.

Either step is sixteen products of matrices that fit the processor's nearest cache. Linear algebra libraries choose the
code for the processor that they run on; the FFTs of NumPy and SciPy are built for the oldest one.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "FFT", "Matrices", "Spectra", "bins"]

FFT: Final = 512
_B: Final = 16
_RESIDUES: Final = FFT // _B
BLOCK: Final = _RESIDUES
"""Bins of a block of rows, within which they are in another order."""
_J: Final = FFT // 2 // _RESIDUES
_PAIRS: Final = _RESIDUES // 2
"""Residue r goes with 32 - r; residue 0, whose sums over a are real, with 16, whose are real but for a factor."""


def bins() -> NDArray[np.intp]:
    """Return which bin each row of `Spectra.magnitudes` is, int [256].

    Rows 32 j to 32 j + 31 are bins 32 j to 32 j + 31 in another order; bin 256, half the sample rate, is left out.
    """
    pair = np.arange(_PAIRS)
    partner = np.where(pair == 0, _PAIRS, _RESIDUES - pair)
    first = _RESIDUES * np.arange(_J)[:, np.newaxis]
    return np.concatenate([first + pair, first + partner], axis=1).ravel()


class Matrices:
    """What spectra are multiplied with; read only, so that any number of `Spectra` may share it."""

    def __init__(self, window: NDArray[np.float64]) -> None:
        """Work out the matrices for a window, float64, at most 512 values, a multiple of 16."""
        self.length = len(window)
        self.inner = _inner(window)
        self.outer = _outer()


class Spectra:
    """Magnitude spectra of a stretch of samples, in memory that is made once; for use by one thread."""

    def __init__(self, matrices: Matrices, hop: int, frames: int) -> None:
        """Prepare for stretches of `frames` frames that begin `hop` samples apart.

        Args:
            matrices: those of the window.
            hop: samples from one frame's first to the next one's.
            frames: how many frames a stretch has.
        """
        self._hop = hop
        self._matrices = matrices
        self._parts = np.empty((2, FFT // 2, frames), np.float32)
        self._columns = self._parts.reshape(FFT, frames)[: matrices.length]  # done with when the parts are written
        self._by_b = self._columns.reshape(-1, _B, frames).transpose(1, 0, 2)
        sums = np.empty((2 * _PAIRS, _B, frames), np.float32)
        self._sums_by_b = sums.transpose(1, 0, 2)
        self._sums_by_pair = sums.reshape(_PAIRS, 2 * _B, frames)
        self._parts_by_pair = self._parts.reshape(4 * _J, _PAIRS, frames).transpose(1, 0, 2)

    def magnitudes(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the magnitudes of each frame's spectrum, float32 [256, frames]; they last until the next call.

        Args:
            samples: float32 [hop (frames - 1) + window], contiguous.
        """
        # With the frames along the rows both steps read and write whole rows, and no product copies its operands.
        shape, strides = self._columns.shape, (samples.itemsize, self._hop * samples.itemsize)
        np.copyto(self._columns, np.ndarray(shape, np.float32, samples, 0, strides))
        np.matmul(self._matrices.inner, self._by_b, out=self._sums_by_b)
        np.matmul(self._matrices.outer, self._sums_by_pair, out=self._parts_by_pair)
        real, imaginary = parts = self._parts
        np.multiply(parts, parts, out=parts)
        np.add(real, imaginary, out=real)
        return np.sqrt(real, out=real)


def _inner(window: NDArray[np.float64]) -> NDArray[np.float32]:
    """For each b the matrix of the sums over a, float32 [16, 32, a]: real and imaginary part of each pair's residue."""
    n = np.arange(len(window)).reshape(-1, _B).T[:, np.newaxis]
    weights = window[n]
    twiddles = np.exp(-2j * np.pi / FFT * n * np.arange(_PAIRS)[:, np.newaxis]) * weights
    parts = np.stack([twiddles.real, twiddles.imag], axis=2)
    parts[:, 0, 1] = (weights * (-1.0) ** (n // _B))[:, 0]  # of residue 16, but for a factor that depends on b alone
    return parts.reshape(_B, 2 * _PAIRS, -1).astype(np.float32)


def _outer() -> NDArray[np.float32]:
    """For each pair the matrix of the sums over b, float32 [16, 32, 32]: from parts and b to parts, j and residue."""
    b = np.arange(_B)
    j = np.arange(_J)[:, np.newaxis]
    matrices = np.zeros((_PAIRS, 2, _J, 2, 2, _B))  # pair, part of the result, j, which of the pair, part of Y, b
    for which, mirrored in enumerate((j, _B - 1 - j)):
        twiddles = np.exp(-2j * np.pi / _B * b * mirrored)
        matrices[1:, 0, :, which, 0] = twiddles.real
        matrices[1:, 0, :, which, 1] = -twiddles.imag
        matrices[1:, 1, :, which, 0] = twiddles.imag
        matrices[1:, 1, :, which, 1] = twiddles.real
        twiddles = np.exp(-2j * np.pi / FFT * b * (_RESIDUES * j + _PAIRS * which))
        matrices[0, 0, :, which, which] = twiddles.real
        matrices[0, 1, :, which, which] = twiddles.imag
    return matrices.reshape(_PAIRS, 4 * _J, 2 * _B).astype(np.float32)
