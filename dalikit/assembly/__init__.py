"""From a configuration and a registry to a trainer."""
