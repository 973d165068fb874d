"""Which 32 bytes are a public key that binds a signature to one signer (RFC 8032, section 5.1.3).

The library that checks signatures accepts points of small order, under which one signature fits many messages.
"""

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P


def is_sound(public: bytes) -> bool:
    """Whether this encodes, in the only way, a point of the curve whose order is not 1, 2, 4 or 8."""
    y = int.from_bytes(public, "little") & (1 << 255) - 1
    if len(public) != 32 or y >= _P or pow(_x_squared(y), (_P - 1) // 2, _P) not in {0, 1}:  # noqa: PLR2004 - bytes
        return False
    for _ in range(3):
        y = _y_of_double(y)
    return y != 1  # the neutral element (0, 1)


def _x_squared(y: int) -> int:
    """From -x² + y² = 1 + dx²y²; the divisor is never 0, because -1/d is no square."""
    return (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P


def _y_of_double(y: int) -> int:
    """Apply the addition law to a point and itself: (y² + x²) / (1 - dx²y²)."""
    xx, yy = _x_squared(y), y * y
    return (yy + xx) * pow(1 - _D * xx * yy, -1, _P) % _P
