"""A run checked whole, and the machine: what `dalikit verify` and `dalikit doctor` say."""

from dalikit.inspection.doctor import Diagnosis, diagnose
from dalikit.inspection.run import Verdict, verify

__all__ = ["Diagnosis", "Verdict", "diagnose", "verify"]
