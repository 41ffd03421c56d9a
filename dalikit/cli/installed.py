"""What is installed, where its metadata are to blame: torch reads all of them when it is imported."""

from importlib.metadata import Distribution, distributions

from dalikit.errors import shortened


def unreadable() -> str | None:
    """Which distribution's entry points cannot be read, and what to do; None where all can be."""
    for found in distributions():
        try:
            tuple(found.entry_points)
        except Exception as error:  # bytes that are no text, lines that are no entry point
            return (
                f"Distribution {_name(found)} in {found.locate_file('')} has entry points that cannot be "
                f"read ({type(error).__name__}), and all that look for plugins fail: install it anew, or "
                "remove it"
            )
    return None


def _name(found: Distribution) -> str:
    try:
        return f"'{shortened(found.name)}'"
    except Exception:  # its other metadata are no better
        return "without a name"
