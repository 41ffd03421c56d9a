"""The studies: the paper's tables and figures, as runs beside its own numbers."""
