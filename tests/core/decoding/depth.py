"""How deep a JSON value is, slow and obvious."""


def depth(value: object) -> int:
    """Levels of arrays and objects; a scalar has none."""
    match value:
        case list():
            return 1 + max(map(depth, value), default=0)
        case dict():
            return 1 + max(map(depth, value.values()), default=0)
        case _:
            return 0
