"""`bundlewatch run`: the operator. Flags and environment become one `Settings`, and that is all."""

import asyncio
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bundlewatch import app
from bundlewatch.errors import BundleWatchError
from bundlewatch.observe import logs
from bundlewatch.registry import hosts
from bundlewatch.registry.hosts import Host, HostsError
from bundlewatch.registry.proxies import Proxies, ProxyError
from bundlewatch.settings import Settings

logger = logging.getLogger(__name__)

_DEFAULT = Settings()


@click.command(
    short_help="Run the operator.",
    context_settings={"auto_envvar_prefix": "BUNDLEWATCH", "show_default": True, "max_content_width": 110},
)
@click.option(
    "--kubeconfig",
    envvar=["BUNDLEWATCH_KUBECONFIG", "KUBECONFIG"],
    show_envvar=True,
    metavar="PATH",
    help="Kubeconfig to log in with. Left out: the Pod's ServiceAccount, else ~/.kube/config.",
)
@click.option("--context", show_envvar=True, metavar="NAME", help="Context of the kubeconfig.")
@click.option(
    "--namespace",
    "namespaces",
    envvar="BUNDLEWATCH_NAMESPACE",
    multiple=True,
    show_envvar=True,
    metavar="NAME",
    help="Serve this namespace only; may be repeated (in the environment: separated by spaces). "
    "Left out: the whole cluster.",
)
@click.option(
    "--log-format",
    type=click.Choice(["json", "console"]),
    default=_DEFAULT.log_format,
    show_envvar=True,
    help="JSON for machines, console for eyes.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default=_DEFAULT.log_level,
    show_envvar=True,
    help="The least that is logged.",
)
@click.option(
    "--probe-address",
    default=f"{_DEFAULT.probe_host}:{_DEFAULT.probe_port}",
    show_envvar=True,
    metavar="HOST:PORT",
    help="Where /healthz and /readyz are served.",
)
@click.option(
    "--registry-concurrency",
    type=click.IntRange(1, 64),
    default=_DEFAULT.registry_concurrency,
    show_envvar=True,
    metavar="N",
    help="Requests under way at once to one registry host.",
)
@click.option(
    "--registry-rate",
    type=click.FloatRange(0, 100_000, min_open=True),
    default=_DEFAULT.registry_rate,
    show_envvar=True,
    metavar="N",
    help="Requests a second to one registry host, on average.",
)
@click.option(
    "--registry-timeout",
    "registry_timeout_s",
    envvar="BUNDLEWATCH_REGISTRY_TIMEOUT",
    type=click.FloatRange(0, 600, min_open=True),
    default=_DEFAULT.registry_timeout_s,
    show_envvar=True,
    metavar="SECONDS",
    help="Deadline of one request to a registry.",
)
@click.option(
    "--registry-config",
    show_envvar=True,
    metavar="FILE",
    help="YAML file with mirrors, limits and clouds of single registry hosts; read once, at the start.",
)
@click.option(
    "--registry-docker-config",
    show_envvar=True,
    metavar="FILE",
    help="Docker configuration with logins for BundleWatches that name none of their own; read again when it changes. "
    "Whoever may create BundleWatches may use them. Left out: those are anonymous.",
)
@click.option(
    "--listing-timeout",
    "listing_timeout_s",
    envvar="BUNDLEWATCH_LISTING_TIMEOUT",
    type=click.FloatRange(0, 3600, min_open=True),
    default=_DEFAULT.listing_timeout_s,
    show_envvar=True,
    metavar="SECONDS",
    help="Deadline of one whole listing, all of its pages.",
)
@click.option(
    "--kubernetes-timeout",
    "kubernetes_timeout_s",
    envvar="BUNDLEWATCH_KUBERNETES_TIMEOUT",
    type=click.FloatRange(0, 120, min_open=True),
    default=_DEFAULT.kubernetes_timeout_s,
    show_envvar=True,
    metavar="SECONDS",
    help="Deadline of one request to the Kubernetes API.",
)
@click.option(
    "--annotations/--no-annotations",
    "annotate",
    envvar="BUNDLEWATCH_ANNOTATIONS",
    default=_DEFAULT.annotate,
    show_envvar=True,
    help="Whether Applications get annotations that say which bundle they were given, from which commit and pipeline.",
)
def run(probe_address: str, namespaces: tuple[str, ...], registry_config: str | None, **options: object) -> None:
    """Run the operator until SIGTERM or SIGINT.

    It watches BundleWatch objects and Argo CD Applications, polls registries, and patches targetRevision.
    HTTPS_PROXY, HTTP_PROXY and NO_PROXY are honoured for registries.
    Exit codes: 0 ended by a signal, 1 cannot go on, 2 a mistake in flags or environment.
    """
    host, separator, port = probe_address.rpartition(":")
    if not separator or not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise click.BadParameter(
            f"{probe_address!r} is not HOST:PORT, such as 0.0.0.0:8081", param_hint="--probe-address"
        )
    by_host = _registry_hosts(registry_config)
    try:
        settings = Settings.model_validate(
            {
                **options,
                "registry_hosts": by_host,
                "cloud_hosts": {name: host.cloud for name, host in by_host.items() if host.cloud is not None},
                "proxies": Proxies.from_environment(os.environ),
                "namespaces": tuple(dict.fromkeys(namespaces)),
                "probe_host": host.strip("[]") or _DEFAULT.probe_host,
                "probe_port": int(port),
            }
        )
    except ProxyError as error:
        raise click.UsageError(str(error)) from None
    except ValidationError as error:
        raise click.UsageError(
            "; ".join(f"{_flag(problem)}: {problem['msg']}" for problem in error.errors())
        ) from error
    logs.configure(style=settings.log_format, level=settings.log_level)
    for name in _unknown_variables():
        logger.warning("%s in the environment is no setting and does nothing; `bundlewatch run --help` names all", name)
    try:
        with asyncio.Runner(loop_factory=app.loop_factory()) as runner:
            runner.run(app.serve(settings))
    except BundleWatchError as error:
        click.echo(f"bundlewatch: {error}", err=True)
        sys.exit(1)


def _registry_hosts(file: str | None) -> Mapping[str, Host]:
    if not file:
        return {}
    try:
        with Path(file).open("rb") as opened:
            return hosts.parse(opened.read(hosts.FILE_LIMIT_BYTES + 1), source=file)
    except OSError as error:
        raise click.BadParameter(
            f"{file}: {error.strerror or 'cannot be read'}; name a file that can be read",
            param_hint="--registry-config",
        ) from None
    except HostsError as error:
        raise click.BadParameter(str(error), param_hint="--registry-config") from None


def _flag(problem: ErrorDetails) -> str:
    """The flag behind a setting: `registry_timeout_s` is --registry-timeout."""
    name = str(problem["loc"][0]) if problem["loc"] else "namespaces"
    return "--" + name.removesuffix("_s").replace("_", "-").replace("namespaces", "namespace")


def _unknown_variables() -> list[str]:
    """Ours by their prefix, and nobody's by their name; Kubernetes' own for a Service of our name do not count."""
    known = {name for parameter in run.params for name in _variables(parameter)}
    return sorted(
        name
        for name in os.environ
        if name.startswith("BUNDLEWATCH_") and name not in known and not re.match(r"BUNDLEWATCH_(SERVICE|PORT)", name)
    )


def _variables(parameter: click.Parameter) -> Sequence[str]:
    if parameter.envvar is None:
        return [f"BUNDLEWATCH_{(parameter.name or '').upper()}"]
    return [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar
