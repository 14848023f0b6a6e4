"""Array types shared by every module; shapes are given where the arrays are."""

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.integer]
FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]
StrArray = NDArray[np.str_]
