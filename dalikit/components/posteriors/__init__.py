"""The posterior families."""
