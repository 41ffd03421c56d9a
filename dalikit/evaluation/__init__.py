"""Measuring a trained method: the loop that scores, torch-fidelity, the digit scorer."""
