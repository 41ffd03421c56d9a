"""Numbers of bytes and of seconds for people."""


def told_size(count: int) -> str:
    """A number of bytes with its unit.

    Examples:
        >>> told_size(999), told_size(12_300_000), told_size(134_000_000_000)
        ('999 B', '12.3 MB', '134.0 GB')
    """
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def told_age(seconds: float) -> str:
    """How long ago something was.

    Examples:
        >>> [told_age(s) for s in (-3, 59, 3_599, 7_200, 200_000, 86_400 * 800)]
        ['0 s', '59 s', '59 min', '2 h', '2 days', '2 years']
    """
    for unit, most, length in (("s", 60, 1), ("min", 60, 60), ("h", 48, 3600), ("days", 730, 86_400)):
        if seconds < most * length:
            return f"{max(0, seconds) // length:.0f} {unit}"
    return f"{seconds / (365 * 86_400):.0f} years"
