"""`explain -f`: the choice and each tag's fate from files alone, for eyes and for programs, with honest exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from bundlewatch.cli import main

DOCUMENTED = Path(__file__).parents[3] / "docs/cli.md"
SIGNATURE = f"sha256-{'0123456789abcdef' * 4}.sig"


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(listed: str = "", /, *, name: str = "shop", **spec: Any) -> None:
    """A manifest in shop.yaml, and tags in tags.txt, a line each."""
    wanted = {"repository": "registry.example.com/shop/bundle", "applications": [{"name": "shop"}], **spec}
    body = {
        "apiVersion": "bundlewatch.dev/v1alpha1",
        "kind": "BundleWatch",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": wanted,
    }
    Path("shop.yaml").write_text(yaml.safe_dump(body))
    Path("tags.txt").write_text("".join(f"{tag}\n" for tag in listed.split()))


def explain(*arguments: str, text: str | None = None, **environment: str) -> Result:
    argv = ["explain", "-f", "shop.yaml", "--tags-from", "tags.txt", *arguments]
    return CliRunner().invoke(main, argv, input=text, env={"KUBECONFIG": "/nonexistent", **environment})


def answer(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(explain("-o", "json", *arguments).stdout)
    return found


def reasons(*arguments: str) -> dict[str, str]:
    return {verdict["tag"]: verdict["reason"] for verdict in answer(*arguments)["verdicts"]}


@pytest.mark.usefixtures("where")
def test_the_table_has_the_choice_first_and_then_the_newest() -> None:
    write("1.3.0 1.3.9 1.4.2 latest", tags={"range": "~1.3"})

    done = explain("--current", "1.3.0")

    assert done.stdout.splitlines() == [
        "BundleWatch argocd/shop: registry.example.com/shop/bundle, 4 tags",
        "",
        "TAG      VERSION   VERDICT       WHY",
        "1.3.9    1.3.9     Chosen        the best that may be taken",
        "1.4.2    1.4.2     OutOfRange    1.4.2 is above the range ~1.3",
        "1.3.0    1.3.0     Current       runs now; superseded by 1.3.9",
        "latest             NotAVersion   latest is no semantic version such as 1.2.3",
        "",
        "4 tags: 1 Chosen, 1 Current, 1 NotAVersion, 1 OutOfRange",
    ]
    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.usefixtures("where")
def test_of_many_tags_ten_are_shown_beside_the_choice_unless_all_are_asked_for() -> None:
    write(" ".join(f"1.0.{patch}" for patch in range(40)))

    few, every = explain().stdout, explain("--all").stdout

    assert [line.partition(" ")[0] for line in few.splitlines()[3:14]] == [f"1.0.{39 - place}" for place in range(11)]
    assert few.endswith("40 tags: 39 Superseded, 1 Chosen; --all shows every one\n")
    assert [line.partition(" ")[0] for line in every.splitlines()[3:43]] == [f"1.0.{39 - place}" for place in range(40)]


@pytest.mark.usefixtures("where")
def test_one_tag_can_be_asked_about() -> None:
    write("1.0.0 1.0.1")

    done = explain("--tag", "1.0.0")

    assert done.stdout.splitlines()[2:] == [
        "TAG     VERSION   VERDICT      WHY",
        "1.0.0   1.0.0     Superseded   superseded by 1.0.1",
    ]


@pytest.mark.usefixtures("where")
def test_a_tag_that_is_not_there_is_a_mistake_that_names_its_neighbours() -> None:
    write("1.0.0 1.0.1")

    done = explain("--tag", "1.0.2")

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "bundlewatch: tag '1.0.2' is none of the 2 tags; there is 1.0.1, 1.0.0\n"


@pytest.mark.usefixtures("where")
@pytest.mark.parametrize(("style", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_programs_get_the_choice_and_every_verdict(style: str, load: Any) -> None:
    write(f"1.0.0 v1.1.0 {SIGNATURE}", tags={"range": "^1"})

    assert load(explain("-o", style).stdout) == {
        "choice": {"tag": "v1.1.0", "version": "1.1.0"},
        "verdicts": [
            {"tag": "v1.1.0", "version": "1.1.0", "reason": "Chosen", "message": "the best that may be taken"},
            {"tag": "1.0.0", "version": "1.0.0", "reason": "Superseded", "message": "superseded by v1.1.0"},
            {
                "tag": SIGNATURE,
                "version": None,
                "reason": "NotABundleTag",
                "message": "a signature or attestation, never a bundle",
            },
        ],
    }


@pytest.mark.usefixtures("where")
@pytest.mark.parametrize("style", ["json", "yaml", "table"])
def test_where_nothing_may_be_taken_it_says_why_and_ends_with_3(style: str) -> None:
    write("2.0.0", tags={"range": "^1"})

    done = explain("-o", style)

    assert done.exit_code == 3
    assert done.stderr == (
        "bundlewatch: nothing is chosen: the only tag may not be taken: 1 out of range; "
        "publish one that fits, or correct spec.tags\n"
    )


@pytest.mark.usefixtures("where")
def test_without_any_tag_there_is_no_choice() -> None:
    write("")

    assert answer() == {"choice": None, "verdicts": []}
    assert explain().stderr.endswith("nothing is chosen: the repository has no tags yet\n")


@pytest.mark.usefixtures("where")
@pytest.mark.parametrize(
    ("current", "spec", "choice"),
    [
        pytest.param("1.0.0", {}, "1.1.0", id="something older runs"),
        pytest.param("1.1.0", {}, "1.1.0", id="it runs already"),
        pytest.param("1.2.0", {}, None, id="something newer runs"),
        pytest.param("1.2.0", {"rollout": {"allowDowngrade": True}}, "1.1.0", id="and may be replaced"),
        pytest.param("1.2.0", {"pin": "1.0.0"}, "1.0.0", id="a pin goes back"),
        pytest.param("main", {}, None, id="what runs cannot be told"),
        pytest.param("main", {"rollout": {"allowDowngrade": True}}, "1.1.0", id="nor does it matter"),
        pytest.param("1.1.0+b", {}, None, id="as a target revision spells it"),
    ],
)
def test_nothing_older_than_what_runs_is_chosen(current: str, spec: dict[str, Any], choice: str | None) -> None:
    write("1.0.0 1.1.0", **spec)

    found = answer("--current", current)["choice"]

    assert (None if found is None else found["tag"]) == choice


@pytest.mark.usefixtures("where")
@pytest.mark.parametrize(
    ("order", "tags", "choice"),
    [
        pytest.param({"order": "calver"}, "2024.01.15 24.04 20231231 1.2", "24.04", id="calver"),
        pytest.param({"order": "numerical"}, "9 10 10.5 x", "10.5", id="numerical"),
        pytest.param({"order": "numerical", "direction": "Descending"}, "9 10 10.5", "9", id="descending"),
        pytest.param({"order": "alphabetical"}, "b a C", "b", id="alphabetical"),
    ],
)
def test_every_order_can_be_explained(order: dict[str, str], tags: str, choice: str) -> None:
    write(tags, tags=order)

    assert answer()["choice"]["tag"] == choice


@pytest.mark.usefixtures("where")
@pytest.mark.parametrize(
    ("content", "tags"),
    [
        pytest.param("1.0.0\r\n\n  1.0.1  \n1.0.0\n", ["1.0.1", "1.0.0"], id="lines"),
        pytest.param("\ufeff1.0.1\n1.0.0\n", ["1.0.1", "1.0.0"], id="a byte order mark"),
        pytest.param('{"name": "shop", "tags": null}', [], id="a repository without tags"),
        pytest.param('["1.0.0", "1.0.1"]', ["1.0.1", "1.0.0"], id="a JSON list"),
        pytest.param('{"name": "shop", "tags": ["1.0.0"]}', ["1.0.0"], id="what a registry answers"),
        pytest.param('{"Repository": "x", "Tags": ["1.0.0"]}', ["1.0.0"], id="what skopeo prints"),
    ],
)
def test_tags_are_taken_as_other_tools_print_them(content: str, tags: list[str]) -> None:
    write()
    Path("tags.txt").write_text(content)

    assert [verdict["tag"] for verdict in answer()["verdicts"]] == tags


@pytest.mark.usefixtures("where")
def test_what_is_no_tag_is_left_out_and_told() -> None:
    write()
    Path("tags.txt").write_text("1.0.0\n1.0.0+b\nwith space\n")

    done = explain("-o", "json")

    assert [verdict["tag"] for verdict in json.loads(done.stdout)["verdicts"]] == ["1.0.0"]
    assert done.stderr == "bundlewatch: 2 in tags.txt left out, being no tag: '1.0.0+b' …\n"


@pytest.mark.usefixtures("where")
def test_tags_and_manifest_can_come_through_a_pipe() -> None:
    write("1.0.0")

    by_tags = explain("--tags-from", "-", "-o", "json", text="2.0.0\n")
    by_file = CliRunner().invoke(
        main, ["explain", "-f", "-", "--tags-from", "tags.txt", "-o", "json"], input=Path("shop.yaml").read_text()
    )

    assert json.loads(by_tags.stdout)["choice"]["tag"] == "2.0.0"
    assert json.loads(by_file.stdout)["choice"]["tag"] == "1.0.0"


@pytest.mark.usefixtures("where")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(
            ["-f", "missing.yaml"], "missing.yaml: cannot be read: No such file or directory", id="no such file"
        ),
        pytest.param(
            ["--tags-from", "missing"],
            "--tags-from missing: cannot be read: No such file or directory",
            id="no such tags",
        ),
        pytest.param(["other"], "shop.yaml: no BundleWatch other; it has argocd/shop", id="no such name"),
        pytest.param(["-n", "team"], "shop.yaml: no BundleWatch team; it has argocd/shop", id="no such namespace"),
        pytest.param(["-f", "-", "--tags-from", "-"], "cannot both be standard input", id="two from one pipe"),
        pytest.param(["-o", "xml"], "'xml' is not one of", id="no such output"),
        pytest.param(["--current", ""], "--current is empty", id="a variable that is not set"),
        pytest.param(["--registry-docker-config", "shop.yaml"], "goes without -f", id="a login of the operator"),
    ],
)
def test_a_mistake_in_the_call_is_named_and_ends_with_2(arguments: list[str], says: str) -> None:
    write("1.0.0")

    done = explain(*arguments)

    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param([], "name a BundleWatch of the cluster, or a file with -f", id="nothing to explain"),
        pytest.param(["shop", "--current", "1.0.0"], "--current goes with -f", id="what runs is known"),
        pytest.param(["shop", "--tags-from", "x"], "--tags-from goes with -f", id="tags are known"),
        pytest.param(["shop", "--registry-docker-config", "none"], "'none' does not exist", id="no such logins"),
        pytest.param(["shop"], "kubeconfig /nonexistent does not exist", id="no cluster to ask"),
    ],
)
def test_a_mistake_in_a_call_for_a_live_object_is_named_too(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(main, ["explain", *arguments], env={"KUBECONFIG": "/nonexistent"})

    assert done.exit_code == 2
    assert says in done.stderr


@pytest.mark.usefixtures("where")
@pytest.mark.parametrize(
    ("spec", "says"),
    [
        pytest.param({"interval": "5s"}, 'spec.interval: Invalid value: "5s": is below the floor', id="a field"),
        pytest.param({"tags": {"patern": "x"}}, 'unknown field "spec.tags.patern"', id="a field that is none"),
        pytest.param(
            {"tags": {"pattern": "("}},
            "shop.yaml:10: spec.tags.pattern '(': ( is never closed at position 1",
            id="pattern",
        ),
        pytest.param({"tags": {"range": ">2 <1"}}, "range '>2 <1' can never match", id="range"),
    ],
)
def test_a_mistake_in_the_object_is_named_as_the_cluster_would(spec: dict[str, Any], says: str) -> None:
    write("1.0.0", **spec)

    done = explain()

    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr


@pytest.mark.usefixtures("where")
def test_of_several_in_a_file_one_is_named() -> None:
    write("1.0.0", name="other", pin="0.9.0")
    other = Path("shop.yaml").read_text()
    write("1.0.0")
    Path("shop.yaml").write_text(f"{Path('shop.yaml').read_text()}---\n{other}---\nkind: ConfigMap\n")

    assert explain().stderr.endswith(
        "has several BundleWatches, argocd/shop, argocd/other: give the name of one, and -n\n"
    )
    assert explain("shop").exit_code == 0
    assert explain("other").exit_code == 3


@pytest.mark.usefixtures("where")
def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    write("1.0.0")
    argv = ["explain", "-f", "shop.yaml", "--tags-from", "tags.txt"]

    piped = CliRunner().invoke(main, argv).stdout
    terminal = CliRunner().invoke(main, argv, color=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    plain = CliRunner().invoke(main, argv, color=True).stdout

    assert "\x1b[" not in piped
    assert "\x1b[32m1.0.0" in terminal
    assert "\x1b[" not in plain


@pytest.mark.usefixtures("where")
def test_the_example_in_the_documentation_is_what_is_printed() -> None:
    documented = DOCUMENTED.read_text().partition("$ bundlewatch explain -f shop.yaml")[2].partition("```")[0]
    write("1.3.9 1.4.2 1.3.10-rc.1 1.3.1-debug 1.3.0 latest", tags={"range": "~1.3", "exclude": ["*-debug"]})

    assert explain("--current", "1.3.0").stdout == documented.partition("\n")[2]
