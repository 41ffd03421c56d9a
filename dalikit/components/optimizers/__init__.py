"""The optimizers: torch's own, with the settings that are not the trainer's."""
