"""Dense and sparse columns beside each other, as the one design of a multinomial logit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.types import FloatArray


@dataclass(frozen=True)
class JoinedColumns:
    """A design that is never stored as one matrix: hundreds of numbers a row, and indicators of hundreds of levels.

    dense: [n, d]. sparse: CSR [n, s]. Has of a matrix what ``harness.estimation.multinomial`` asks for.
    """

    dense: FloatArray
    sparse: Any

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, the dense ones first."""
        return self.dense.shape[0], self.dense.shape[1] + int(self.sparse.shape[1])

    @property
    def T(self) -> TransposedColumns:  # noqa: N802 - as of any matrix
        """Its transpose."""
        return TransposedColumns(self.dense.T, self.sparse.T.tocsr())

    def __getitem__(self, rows: Any) -> JoinedColumns:
        return JoinedColumns(self.dense[rows], self.sparse[rows])

    def astype(self, dtype: Any) -> JoinedColumns:
        """The same in another precision; a view where it is that already."""
        return JoinedColumns(self.dense.astype(dtype, copy=False), self.sparse.astype(dtype, copy=False))

    def squares(self) -> JoinedColumns:
        """Every entry squared."""
        return JoinedColumns(self.dense * self.dense, self.sparse.multiply(self.sparse).tocsr())

    def __matmul__(self, coefficients: FloatArray) -> FloatArray:
        d = self.dense.shape[1]
        return np.asarray(self.dense @ coefficients[:d] + self.sparse @ coefficients[d:])


@dataclass(frozen=True)
class TransposedColumns:
    """The transpose of ``JoinedColumns``. dense: [d, n]. sparse: CSR [s, n]."""

    dense: FloatArray
    sparse: Any

    def __matmul__(self, values: FloatArray) -> FloatArray:
        return np.concatenate([self.dense @ values, self.sparse @ values])


def transposed(X: Any) -> Any:
    """The transpose of a design, dense, sparse or both, fast to multiply with."""
    return X.T if isinstance(X, np.ndarray | JoinedColumns) else X.T.tocsr()


def squared(X: Any) -> Any:
    """A design with every entry squared."""
    if isinstance(X, np.ndarray):
        return X * X
    return X.squares() if isinstance(X, JoinedColumns) else X.multiply(X)
