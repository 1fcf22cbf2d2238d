"""The file about single registries: what it says, and every mistake in it with its place and its cure."""

import traceback

import pytest

from bundlewatch.registry.hosts import FILE_LIMIT_BYTES, Host, HostsError, Mirror, parse
from bundlewatch.registry.reference import parse_repository

FILE = "registries.yaml"


def test_a_full_file_is_read() -> None:
    hosts = parse(
        """
        hosts:
          Index.Docker.io:
            mirrors:
              - {host: Mirror.example.com:5000, prefix: hub, insecure: true}
              - {host: cache.example.com, lists: false}
            concurrency: 2
            rate: 0.5
          123456789012.dkr.ecr.eu-west-1.amazonaws.com: {cloud: aws}
          quay.io:443: {}
        """,
        source=FILE,
    )
    assert hosts == {
        "docker.io": Host(
            mirrors=(
                Mirror(host="mirror.example.com:5000", prefix="hub", insecure=True),
                Mirror(host="cache.example.com", lists=False),
            ),
            concurrency=2,
            rate=0.5,
        ),
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com": Host(cloud="aws"),
        "quay.io": Host(),
    }


def test_a_mirror_has_the_repository_below_its_prefix() -> None:
    repository = parse_repository("nginx")
    assert str(Mirror(host="mirror.example.com", prefix="hub").of(repository)) == "mirror.example.com/hub/library/nginx"
    assert str(Mirror(host="mirror.example.com").of(repository)) == "mirror.example.com/library/nginx"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file: is empty; write what belongs there, such as hosts: {docker.io: "),
        ("hosts:", "hosts: is empty; write what belongs there, such as hosts: {docker.io: "),
        ("hosts: {docker.io: }", "hosts: docker.io: is empty; write what belongs there, such as hosts: {docker.io: "),
        ("hosts: {docker.io: }", ", or remove docker.io"),
        ("hosts: {a.io: {mirrors: }}", "hosts: a.io: mirrors: is empty; write what belongs there"),
        ("[]", "the file: is of another kind"),
        ("hosts: [docker.io]", "hosts: is of another kind"),
        ("{}", "hosts: is missing; write hosts:"),
        ("hosts: {", "is no YAML: line 1: "),
        ("hosts: {a.io: {}, a.io: {}}", "line 1: 'a.io' is there twice; keep one"),
        ("hosts: {docker.io: {}, index.docker.io: {}}", "index.docker.io is docker.io once more; keep one"),
        ("hostss: {}", "hostss: there is no such field; correct its spelling, or remove it (there are hosts)"),
        ("hosts: {a.io: {mirror: []}}", "hosts: a.io: mirror: there is no such field"),
        ("hosts: {a.io: {mirror: []}}", "(there are mirrors, concurrency, rate, cloud)"),
        ("hosts: {a.io: {mirrors: [{url: x}]}}", "hosts: a.io: mirrors[0]: url: there is no such field"),
        ("hosts: {a.io: {mirrors: [{url: x}]}}", "(there are host, prefix, insecure, lists)"),
        ("hosts: {a.io: {mirrors: [{}]}}", "hosts: a.io: mirrors[0]: host: is missing"),
        ("hosts: {a.io: {mirrors: [{host: 'https://m.io'}]}}", "mirrors[0]: host: 'https://m.io' is no host"),
        ("hosts: {a.io: {mirrors: [{host: m.io/hub}]}}", "'m.io/hub' is no host of a registry: write it alone"),
        ("hosts: {a.io: {mirrors: [{host: 'm.io:0'}]}}", "'m.io:0' is no host of a registry"),
        ("hosts: {a.io: {mirrors: [{host: m.io, prefix: Hub}]}}", "'Hub' is no beginning of a path"),
        ("hosts: {a.io: {mirrors: [{host: a.io}]}}", "a.io: mirrors: it is named as its own mirror"),
        ("hosts: {a.io: {mirrors: [{host: m.io, prefix: /hub/}]}}", "prefix: '/hub/' is no beginning of a path"),
        ("hosts: {a.io: {mirrors: [{host: m.io}, {host: 'M.io:443'}]}}", "a.io: mirrors[1]: is mirrors[0] once more"),
        ("hosts: {a.io: {mirrors: [{host: m.io}], cloud: aws}}", "a.io: cloud: a mirror is asked anonymously"),
        (f"hosts: {{a.io: {{mirrors: [{'{host: m.io}, ' * 9}]}}}}", "mirrors: there are 9, and there may be at most 8"),
        ("hosts: {a.io: {rate: '5'}}", "hosts: a.io: rate: input should be a valid number, and not '5'; correct it"),
        ("hosts: {a.io: {concurrency: true}}", "concurrency: input should be a valid integer, and not True"),
        ("hosts: {a.io: {mirrors: [{host: m.io, insecure: 'on'}]}}", "insecure: input should be a valid boolean"),
        ("hosts: {a.io: {concurrency: 0}}", "hosts: a.io: concurrency: input should be greater than or equal to 1"),
        ("hosts: {a.io: {rate: .inf}}", "hosts: a.io: rate: "),
        ("hosts: {a.io: {rate: -1}}", "hosts: a.io: rate: input should be greater than 0, and not -1; correct it"),
        ("hosts: {a.io: {cloud: ibm}}", "hosts: a.io: cloud: input should be 'aws', 'gcp' or 'azure', and not 'ibm'"),
        ("hosts: {'a b': {}}", "'a b' is no host of a registry"),
        ("hosts: {'': {}}", "'' is no host of a registry"),
        ("hosts: {1: {}}", "hosts[1]: [key]: input should be a valid string"),
        ("\x00", "is no YAML: it has characters"),
        ("&a [*a]", "the file: is of another kind"),
        ("x" * (FILE_LIMIT_BYTES + 1), "is larger than 1 MiB"),
    ],
    ids=lambda text: str(text)[:60],
)
def test_a_mistake_is_named_by_file_place_and_cure(text: str, says: str) -> None:
    with pytest.raises(HostsError) as error:
        parse(text, source=FILE)
    assert str(error.value).startswith(f"{FILE}: ")
    assert says in str(error.value)
    assert len(str(error.value)) < 1000


def test_several_mistakes_are_named_at_once() -> None:
    with pytest.raises(HostsError) as error:
        parse("hosts: {a.io: {rate: 0}, b.io: {concurrency: 0}}", source=FILE)
    assert "a.io: rate" in str(error.value)
    assert "b.io: concurrency" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "hosts: {'user:s3cret@a.io': {}}",
        "hosts: {'https://user:s3cret@a.io': {}}",
        "hosts: {'user:s3cret@a.io': {rate: 0}}",
        "hosts: {'user:s3cret@a.io': {}, 'user:s3cret@a.io': {}}",
        "hosts: {'user:s3cret@a.io': 5}",
        "hosts: {'user:s3cret@a.io': }",
        "hosts: {a.io: {mirrors: [{host: 'user:s3cret@m.io'}]}}",
        "hosts: {a.io: {mirrors: [{host: 'user:s3cret @m.io'}]}}",
        "hosts: {a.io: {mirrors: [{host: 'https://user:p@ss-s3cret@m.io'}]}}",
        "hosts: {a.io: {mirrors: [{host: m.io, prefix: 'user:s3cret@m.io'}]}}",
        "hosts: {a.io: {mirrors: ['user:s3cret@m.io']}}",
        "hosts: {a.io: {cloud: 'user:s3cret@'}}",
        "hosts: {a.io: {mirrors: 'user:s3cret@m.io'}}",
        "hosts: {a.io: {cloud: 'user:s3cret@m.io'}}",
        "hosts: {a.io: {'user:s3cret@m.io': 1}}",
        "hosts: {a.io: !user:s3cret@m.io {}}",
    ],
)
def test_a_login_that_somebody_wrote_before_a_host_is_not_repeated(text: str) -> None:
    with pytest.raises(HostsError) as error:
        parse(text, source=FILE)
    assert "s3cret" not in "".join(traceback.format_exception(error.value)).replace(text, "")
