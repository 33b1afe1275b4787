"""What the whole suite shares: no silent skips in CI, and the tables of measured figures at the end of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator

import pluggy
import pytest
from hypothesis import HealthCheck, settings

from lab.needs import in_ci

# No test judges time, and that includes how long hypothesis needs for an example on a busy machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
    """With ``CI=true`` a test that skips has failed: what is not run there is not proved anywhere. Only data of others that may
    lie beside the checkout is no duty.
    """
    outcome = yield
    report = outcome.get_result()
    if report.skipped and in_ci() and not hasattr(report, "wasxfail"):
        where = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        if "beside the checkout" in str(where):
            return
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: {where} (CI=true: no test may be skipped)"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded with ``record_property("figures", {...})``.

    Each is a dict with ``table`` (the title), ``row`` (the name of the line) and the columns. They come
    from the reports of the tests, so they arrive from the workers of pytest-xdist as well.
    """
    tables: defaultdict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "figures":
                    columns = dict(value)
                    tables[columns.pop("table")][columns.pop("row")] = columns
    for title, rows in tables.items():
        terminalreporter.write_sep("-", title)
        columns = list(next(iter(rows.values())))
        first = max(len(row) for row in rows)
        terminalreporter.write_line(" " * first + "".join(f"  {column}" for column in columns))
        for row, cells in sorted(rows.items()):
            terminalreporter.write_line(
                row.ljust(first) + "".join(f"  {cells[column]:>{len(column)}}" for column in columns)
            )
