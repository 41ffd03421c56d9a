"""dalikit's checks in pytest: a fixture, and every component of an installed package as a test.

    def test_it_keeps_the_contract(dalikit_contract):
        dalikit_contract(MyGame, weight=0.5)

    pytest --dalikit dalikit-hello

Nothing of dalikit's is imported before one of the two is used.
"""

from collections.abc import Callable
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--dalikit`."""
    parser.getgroup("dalikit").addoption(
        "--dalikit",
        metavar="DISTRIBUTION",
        action="append",
        default=[],
        help="Test every component of an installed package by dalikit's contract; may be repeated.",
    )


@pytest.fixture(scope="session")
def dalikit_contract() -> Callable[..., None]:
    """`dalikit.testing.check_component`: one component through its whole contract, a training too."""
    from dalikit.testing import check_component

    return check_component


class ContractItem(pytest.Item):
    """A component of an installed package as a test."""

    component: Any = None

    def runtest(self) -> None:
        """Check it with its own defaults."""
        from dalikit.testing import check_component

        check_component(self.component)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What the contract wants, in a line; anything else with where it was raised."""
        if isinstance(excinfo.value, AssertionError):
            return f"{self.name}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """What it is called in a report."""
        return self.path, None, self.name


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add a test for each component of the packages that `--dalikit` names."""
    for distribution in session.config.getoption("--dalikit"):
        items += _items_of(distribution, session)


def _items_of(distribution: str, session: pytest.Session) -> list[ContractItem]:
    from dalikit.assembly.registry import Registry
    from dalikit.assembly.selection import canonical

    rows = [r for r in Registry.discover().rows if canonical(r.distribution) == canonical(distribution)]
    if not rows:
        raise pytest.UsageError(f"--dalikit {distribution}: no package called so offers anything to dalikit")
    found = []
    for row in rows:
        if row.component is None:
            raise pytest.UsageError(f"--dalikit {distribution}: {row.described}")
        item = ContractItem.from_parent(session, name=f"{row.kind} {row.name} of {row.distribution}")
        item.component = row.component
        found.append(item)
    return found
