"""A new plugin's package, made of its kind's template: `dalikit plugins new`.

A kind's template is a folder with `module.py.txt`, `test_module.py.txt` and `commands.txt`, in which
`$package`, `$module`, `$component`, `$cls` and `$api` stand for what a package is called. dalikit's own lie
here; a kind from a third party says where its own lies, `Kind(template="package:folder")`.
"""

from dalikit.scaffolding.names import Names
from dalikit.scaffolding.package import NewPackage, new_package
from dalikit.scaffolding.templates import known_kinds

__all__ = ["Names", "NewPackage", "known_kinds", "new_package"]
