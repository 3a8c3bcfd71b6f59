"""Numbers of things, as people say them: 1 ping, 2 pings."""


def counted(n: int, one: str, many: str = "") -> str:
    """ "1 ping waits", "2 pings wait".  `many` is `one` with an s where it is not given."""
    return f"{n} {one}" if n == 1 else f"{n} {many or one + 's'}"
