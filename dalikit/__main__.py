"""`dalikit`, and `python -m dalikit`: signals are answered before anything that takes time is imported."""

import sys

from dalikit.cli.signals import at_once
from dalikit.errors import Interrupted


def main() -> None:
    """Run the command line and exit."""
    try:
        with at_once():
            from dalikit.cli.main import main as run

            run()
    except Interrupted as stop:
        print(f"{stop}.", file=sys.stderr)
        sys.exit(stop.exit_code)


if __name__ == "__main__":
    main()
