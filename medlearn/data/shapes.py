"""Closed surfaces as a radius that depends on the direction, in real spherical harmonics."""

from math import factorial, pi, sqrt

import numpy as np

DEGREE = 5  #: of the shapes in the table of the LIDC nodules


def harmonics(directions, degree=DEGREE):
    """Return the real, orthonormal spherical harmonics of unit vectors.

    Parameters
    ----------
    directions : ndarray of shape (..., 3)
        Unit vectors x, y, z.
    degree : int
        The highest degree.

    Returns
    -------
    ndarray of shape (..., (degree + 1) ** 2)
        In the order (0, 0), (1, -1), (1, 0), (1, 1), (2, -2) ... of degree and order.

    Examples
    --------
    >>> harmonics(np.array([0.0, 0.0, 1.0]), degree=1).round(3)  # 1 / sqrt(4 pi), then sqrt(3 / (4 pi)) z
    array([0.282, 0.   , 0.489, 0.   ])
    """
    directions = np.asarray(directions, dtype=float)
    x, y, z = np.moveaxis(directions, -1, 0)
    turn, power = x + 1j * y, np.ones_like(x, dtype=complex)
    values = np.empty((*x.shape, (degree + 1) ** 2))
    for order in range(degree + 1):
        before, legendre = np.zeros_like(z), np.full_like(z, _double_factorial(2 * order - 1))
        for row in range(order, degree + 1):
            if row > order:  # Legendre's recursion, with the powers of the sine left in ``power``
                before, legendre = (
                    legendre,
                    ((2 * row - 1) * z * legendre - (row + order - 1) * before) / (row - order),
                )
            scale = sqrt((2 * row + 1) / (4 * pi) * factorial(row - order) / factorial(row + order))
            middle = row * (row + 1)
            if order == 0:
                values[..., middle] = scale * legendre
            else:
                values[..., middle + order] = sqrt(2) * scale * legendre * power.real
                values[..., middle - order] = sqrt(2) * scale * legendre * power.imag
        power = power * turn
    return values


def _double_factorial(number):
    return float(np.prod(np.arange(number, 0, -2))) if number > 0 else 1.0
