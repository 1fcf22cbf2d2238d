"""What whoever runs the operator says about single registries: mirrors, limits, and whose cloud they are in.

    hosts:
      docker.io:
        mirrors: [{host: mirror.example.com, prefix: hub}]
        concurrency: 2
        rate: 5
      123456789012.dkr.ecr.eu-west-1.amazonaws.com: {cloud: aws}

Every mistake is found at once, and named by file, host and field, with the cure; what may be a login before a host is
not repeated. Reads no file itself, and knows nothing of how a mirror is asked (`mirrors`) or a login is obtained.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from bundlewatch.errors import InvalidReference
from bundlewatch.registry.reference import Repository, parse_host, parse_repository, without_login
from bundlewatch.registry.untrusted import clean

FILE_LIMIT_BYTES: Final = 1 << 20
_EXAMPLE: Final = "hosts: {docker.io: {mirrors: [{host: mirror.example.com}]}}"
_SHOWN_PROBLEMS: Final = 5

Cloud: TypeAlias = Literal["aws", "gcp", "azure"]


class HostsError(ValueError):
    """The text is no such file; the message names the file, the place in it and the cure."""


def _host(text: str) -> str:
    try:
        return parse_host(text)
    except InvalidReference as error:
        raise ValueError(str(error)) from None


def _prefix(text: str) -> str:
    if not text:
        return text
    try:
        parse_repository(f"registry.example.com/{text}/x")
    except InvalidReference:
        raise ValueError(
            f"{_shown(text, 80)!r} is no beginning of a path: lower-case parts with / between and none at the ends, "
            "such as hub or cache/docker-hub"
        ) from None
    return text


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mirror(_Model):
    """A pull-through cache of one registry, asked anonymously and before it."""

    host: Annotated[str, AfterValidator(_host)]
    """Host, with its port unless that is 443."""

    prefix: Annotated[str, AfterValidator(_prefix)] = ""
    """What stands before a repository's path there, without slashes at the ends; empty: the path is the same."""

    insecure: Annotated[bool, Field(strict=True)] = False
    """Plain HTTP."""

    lists: Annotated[bool, Field(strict=True)] = True
    """Whether it is asked for tags too; false for one that lists only what it has cached already."""

    def of(self, repository: Repository) -> Repository:
        """Where the mirror has a repository of its registry."""
        return Repository(self.host, f"{self.prefix}/{repository.path}" if self.prefix else repository.path)


class Host(_Model):
    """One registry host; what is left out is as the flags say."""

    mirrors: Annotated[tuple[Mirror, ...], Field(max_length=8)] = ()
    """In the order in which they are asked."""

    concurrency: Annotated[int | None, Field(strict=True, ge=1, le=64)] = None
    """Requests under way at once."""

    rate: Annotated[float | None, Field(strict=True, gt=0, le=100_000)] = None
    """Requests a second, on average."""

    cloud: Cloud | None = None
    """Whose identity opens it."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        places: dict[tuple[str, str], int] = {}
        for number, mirror in enumerate(self.mirrors):
            first = places.setdefault((mirror.host, mirror.prefix), number)
            if first != number:
                raise ValueError(f"mirrors[{number}]: is mirrors[{first}] once more; keep one of the two")
        if self.cloud is not None and self.mirrors:
            raise ValueError(
                "cloud: a mirror is asked anonymously, and would show everybody what only the cloud's identity opens; "
                "remove cloud or mirrors"
            )
        return self


class _File(_Model):
    hosts: Annotated[dict[str, Host], Field(max_length=1000)]


def parse(text: str | bytes, *, source: str) -> Mapping[str, Host]:
    """What a file says, by host as in `Repository.host`. Raises HostsError; `source` names the file in it."""
    if len(text) > FILE_LIMIT_BYTES:
        raise HostsError(f"{source}: is larger than {FILE_LIMIT_BYTES >> 20} MiB; is it the right file?")
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader that is stricter
    except yaml.YAMLError as error:
        raise HostsError(f"{source}: is no YAML: {_where(error)}; write {_EXAMPLE}") from None
    except (ValueError, RecursionError):
        raise HostsError(f"{source}: is no YAML; write {_EXAMPLE}") from None
    try:
        written = _File.model_validate(document).hosts
    except ValidationError as error:
        problems = error.errors(include_url=False)
        told = "; ".join(_problem(problem) for problem in problems[:_SHOWN_PROBLEMS])
        more = f"; and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
        raise HostsError(f"{source}: {told}{more}") from None
    hosts: dict[str, Host] = {}
    for name, host in written.items():
        try:
            known = parse_host(name)
        except InvalidReference as error:
            raise HostsError(f"{source}: hosts: {error}") from None
        if known in hosts:
            raise HostsError(f"{source}: hosts: {_shown(name, 120)} is {known} once more; keep one of the two")
        if any(mirror.host == known for mirror in host.mirrors):
            raise HostsError(f"{source}: hosts: {known}: mirrors: it is named as its own mirror; remove that one")
        hosts[known] = host
    return hosts


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice, instead of taking the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - yaml's own signature
        seen: set[object] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is not None and name in seen:
                problem = f"{_shown(name, 80)!r} is there twice; keep one of the two"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


def _where(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return "it has characters that no YAML can have"
    mark = error.problem_mark or error.context_mark
    line = f"line {mark.line + 1}: " if mark is not None else ""
    return f"{line}{_shown(str(error.problem or 'it cannot be read'), 160)}"


def _problem(problem: ErrorDetails) -> str:
    place = _place(problem["loc"]) or "the file"
    if problem["input"] is None:
        beside = "" if len(problem["loc"]) < 2 else f", or remove {_shown(str(problem['loc'][-1]), 120)}"
        return f"{place}: is empty; write what belongs there, such as {_EXAMPLE}{beside}"
    match problem["type"]:
        case "extra_forbidden":
            known = ", ".join(_fields(problem["loc"]))
            return f"{place}: there is no such field; correct its spelling, or remove it (there are {known})"
        case "missing":
            return f"{place}: is missing; write {_EXAMPLE}"
        case "model_type" | "model_attributes_type" | "dict_type" | "tuple_type":
            return f"{place}: is of another kind than it must be; write {_EXAMPLE}"
        case "too_long":
            most = problem["ctx"]["max_length"]
            return f"{place}: there are {len(problem['input'])}, and there may be at most {most}; remove some"
        case "value_error":
            return f"{place}: {problem['msg'].removeprefix('Value error, ')}"
        case _:
            rule = problem["msg"][:1].lower() + problem["msg"][1:]
            return f"{place}: {rule}, and not {_shown(repr(problem['input']), 60)}; correct it"


def _place(location: Iterable[int | str]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f"{': ' if text else ''}{_shown(part, 120)}"
    return text


def _shown(text: str, limit: int) -> str:
    return clean(without_login(text), limit)


def _fields(location: tuple[int | str, ...]) -> Iterable[str]:
    model: type[BaseModel] = _File if len(location) == 1 else Mirror if "mirrors" in location[2:-1] else Host
    return model.model_fields
