"""`python -m dalikit`."""

from dalikit.cli.main import main

if __name__ == "__main__":
    main()
