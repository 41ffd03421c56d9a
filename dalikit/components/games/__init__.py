"""The adversarial games."""
