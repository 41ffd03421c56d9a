"""The tests as a package: without this file `python -m tests.…` would mean what torch-fidelity installs."""
