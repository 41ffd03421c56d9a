"""A run checked whole, and the machine: what `dalikit verify`, `runs` and `doctor` say."""

from dalikit.inspection.doctor import Diagnosis, diagnose
from dalikit.inspection.run import Verdict, verify
from dalikit.inspection.runs import Listed, list_runs

__all__ = ["Diagnosis", "Listed", "Verdict", "diagnose", "list_runs", "verify"]
