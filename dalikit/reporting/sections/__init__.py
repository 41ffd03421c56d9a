"""The sections of the page, in their order, one file each: another is one more file, and its line here."""

from collections.abc import Sequence

from dalikit.reporting.section import Section
from dalikit.reporting.sections.codes import Codes
from dalikit.reporting.sections.configuration import Configuration
from dalikit.reporting.sections.curves import Curves
from dalikit.reporting.sections.environment import Environment
from dalikit.reporting.sections.interpolations import Interpolations
from dalikit.reporting.sections.neighbours import Neighbours
from dalikit.reporting.sections.overview import Overview
from dalikit.reporting.sections.read import Read
from dalikit.reporting.sections.reconstructions import Reconstructions
from dalikit.reporting.sections.samples import Samples
from dalikit.reporting.sections.scores import Scores
from dalikit.reporting.sections.sources import Sources
from dalikit.reporting.sections.training import Training
from dalikit.reporting.sections.variations import Variations

SECTIONS: Sequence[Section] = (
    Overview(),
    Scores(),
    Samples(),
    Training(),
    Curves(),
    Reconstructions(),
    Variations(),
    Interpolations(),
    Codes(),
    Read(),
    Neighbours(),
    Configuration(),
    Environment(),
    Sources(),
)
