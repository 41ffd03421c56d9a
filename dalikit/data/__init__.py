"""Data as they lie on disk or in memory: images, prepared arrays, torch data sets, downloads."""
