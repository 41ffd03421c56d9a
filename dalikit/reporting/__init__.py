"""What a run is and what it makes, as one page that opens from the file system and asks for nothing.

Needs the extra `report`: charts by Altair, which Vega draws in the browser.
"""

EXTRA = ("altair", "vl_convert")
"""The packages that the extra `report` brings, as they are imported."""
