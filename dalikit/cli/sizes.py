"""Numbers of bytes for people."""


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
