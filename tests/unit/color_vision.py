"""How colours look to readers with a colour vision deficiency, and how far apart they are."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Machado, Oliveira and Fernandes 2009, severity 1, for linear RGB.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.072175],
        [0.0193339, 0.119192, 0.9503041],
    ]
)


def linear(color: str) -> Floats:
    """Return a colour in linear RGB."""
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast_on_white(color: str) -> float:
    """Return the contrast ratio of WCAG 2."""
    return float(1.05 / (_XYZ[1] @ linear(color) + 0.05))


def lab(color: str, *, vision: str) -> Floats:
    """Return a colour as it is seen, in CIELAB under D65."""
    seen = np.clip(VISIONS[vision] @ linear(color), 0, 1)
    ratio = (_XYZ @ seen) / (_XYZ @ np.ones(3))
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(a: str, b: str, *, vision: str) -> float:
    """Return the distance of two colours in CIELAB (delta E of 1976)."""
    return float(np.linalg.norm(lab(a, vision=vision) - lab(b, vision=vision)))
