"""A new plugin's package, made of its kind's template."""
