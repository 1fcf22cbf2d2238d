"""What a benchmark says: named figures, some with a goal, as a plain table or as JSON.

Pure, and the only place that knows how a figure is written. A goal that is missed is shown as missed and is no
error: figures depend on the machine they were taken on, so nobody's build may fail because of one.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should be: `bound` exactly, or less than it."""

    bound: float
    exact: bool = False

    def met(self, value: float) -> bool:
        return value == self.bound if self.exact else value < self.bound


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    value: float
    unit: str = ""
    goal: Goal | None = None
    digits: int = 2

    @property
    def met(self) -> bool | None:
        """None where there is no goal."""
        return None if self.goal is None else self.goal.met(self.value)


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark's figures; `title` says what was measured, with its sizes."""

    title: str
    figures: tuple[Figure, ...]


def seconds(name: str, value_s: float, *, goal: Goal | None = None) -> Figure:
    return Figure(name, value_s, "s", goal)


def mebibytes(name: str, value_bytes: int, *, goal: Goal | None = None) -> Figure:
    """The goal is in MiB too."""
    return Figure(name, value_bytes / MIB, "MiB", goal, digits=1)


def median_and_p90(name: str, values_s: Sequence[float], *, goal: Goal | None = None) -> tuple[Figure, ...]:
    """The goal is one for the median."""
    return (
        seconds(f"{name}, median of {len(values_s)}", statistics.median(values_s), goal=goal),
        seconds(f"{name}, 90th percentile", statistics.quantiles(values_s, n=10, method="inclusive")[8]),
    )


def table(results: Sequence[Result]) -> str:
    rows: list[tuple[str, str, str]] = []
    for result in results:
        rows.append((result.title, "", ""))
        rows += [(f"  {figure.name}", _amount(figure.value, figure), _goal(figure)) for figure in result.figures]
    wide = max((len(name) for name, amount, _ in rows if amount), default=0)
    tall = max((len(amount) for _, amount, _ in rows), default=0)
    lines = [f"{'':{wide}}  {'figure':>{tall}}  goal"]
    lines += [f"{name:{wide}}  {amount:>{tall}}  {goal}".rstrip() for name, amount, goal in rows]
    return "\n".join(lines)


def document(results: Sequence[Result], *, machine: Mapping[str, str]) -> dict[str, Any]:
    """For `--json`: numbers as they were measured, not rounded."""
    return {
        "machine": dict(machine),
        "results": [
            {
                "title": result.title,
                "figures": [
                    {
                        "name": figure.name,
                        "value": figure.value,
                        "unit": figure.unit,
                        "goal": _bound(figure) or None,
                        "met": figure.met,
                    }
                    for figure in result.figures
                ],
            }
            for result in results
        ],
    }


def _amount(value: float, figure: Figure) -> str:
    digits = 0 if float(value).is_integer() and not figure.unit else figure.digits
    return f"{value:.{digits}f} {figure.unit}".rstrip()


def _bound(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    relation = "" if figure.goal.exact else "< "
    return f"{relation}{figure.goal.bound:g} {figure.unit}".rstrip()


def _goal(figure: Figure) -> str:
    return "" if figure.met is None else f"{_bound(figure)}: {'met' if figure.met else 'MISSED'}"
