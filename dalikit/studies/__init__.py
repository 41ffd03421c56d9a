"""Studies carried out: what to run, running it, and the table that comes of it."""
