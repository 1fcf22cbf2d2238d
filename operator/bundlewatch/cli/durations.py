"""How long to wait, as a flag takes it: 90s, 10m, 1h30m, as in the spec."""

import click

from bundlewatch.api import duration


class Duration(click.ParamType[float]):
    """A duration in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return duration.seconds(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
