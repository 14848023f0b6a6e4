"""Dense and sparse columns beside each other, as the one design of a multinomial logit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.types import FloatArray, IntArray

OFTEN = 0.05  # of the rows: a dense product takes a twentieth of the time of a sparse one, a multiplication


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
        turned = self.sparse.T.tocsr()
        filled = np.flatnonzero(np.diff(turned.indptr))
        return TransposedColumns(self.dense.T, turned[filled], self.dense.shape[1] + filled, self.shape[1])

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
        product = np.asarray(self.dense @ coefficients[:d])
        if self.sparse.nnz:
            product += self.sparse @ coefficients[d:]
        return product


@dataclass(frozen=True)
class TransposedColumns:
    """The transpose of ``JoinedColumns``. dense: [d, n]. sparse: CSR [p, n], the other rows that hold something.

    rows: int64 [p], which these are. size: the number of rows.
    """

    dense: FloatArray
    sparse: Any
    rows: IntArray
    size: int

    def __matmul__(self, values: FloatArray) -> FloatArray:
        total = np.zeros((self.size, *values.shape[1:]), dtype=values.dtype)
        self.add_product(values, total)
        return total

    def add_product(self, values: FloatArray, total: FloatArray) -> None:
        """Add the product with values, [n, K], to a total, [size, K]."""
        total[: len(self.dense)] += self.dense @ values
        if len(self.rows):
            total[self.rows] += self.sparse @ values


def often_filled(X: Any) -> IntArray:
    """int64 [k]: the columns of a sparse design that cost less as dense ones; none of any other design."""
    if isinstance(X, np.ndarray | JoinedColumns) or not X.shape[0]:
        return np.zeros(0, dtype=np.int64)
    filled = np.bincount(X.indices, minlength=X.shape[1])
    return np.flatnonzero(filled > OFTEN * X.shape[0])


def transposed(X: Any) -> Any:
    """The transpose of a design, dense, sparse or both, fast to multiply with."""
    return X.T if isinstance(X, np.ndarray | JoinedColumns) else X.T.tocsr()


def squared(X: Any) -> Any:
    """A design with every entry squared."""
    if isinstance(X, np.ndarray):
        return X * X
    return X.squares() if isinstance(X, JoinedColumns) else X.multiply(X)
