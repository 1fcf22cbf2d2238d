"""`bundlewatch validate`: what is wrong is told with file and line, whatever the files hold."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bundlewatch.cli import main

GOOD = """\
apiVersion: bundlewatch.dev/v1alpha1
kind: BundleWatch
metadata:
  name: shop
  namespace: web
spec:
  repository: registry.example.com/shop/bundle
  applications:
    - name: shop
"""
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\n"


def validate(*arguments: str | Path, standard_input: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["validate", *map(str, arguments)], input=standard_input)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, *documents: str) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("---\n".join(documents))
    return name


def report(result: Result) -> dict[str, Any]:
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


# What is told


def test_good_manifests_are_counted_and_nothing_else_is_said() -> None:
    result = validate("-f", write("all.yaml", GOOD, OTHER, GOOD.replace("name: shop", "name: two"), OTHER))

    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr == "bundlewatch: 2 BundleWatches valid; 2 other objects skipped\n"


def test_each_mistake_is_a_line_with_file_line_object_and_the_servers_words() -> None:
    bad = GOOD.replace("/shop/bundle", "/shop:1.0.3").replace("- name: shop", "- name: shop\n    - name: shop-*")

    result = validate("-f", write("bad.yaml", OTHER, bad))

    assert result.exit_code == 2
    assert result.stdout == (
        'bad.yaml:11: BundleWatch web/shop: spec.repository: Invalid value: "registry.example.com/shop:1.0.3": has a '
        "tag: remove everything from the last : on; tags are named in spec.tags and spec.pin\n"
        'bad.yaml:14: BundleWatch web/shop: spec.applications[1].name: Invalid value: "shop-*": must be one name, not '
        "a glob: to follow several Applications, use selector instead\n"
    )
    assert result.stderr == "bundlewatch: 0 BundleWatches valid, 1 not; 1 other object skipped\n"


def test_what_is_missing_is_told_at_what_should_have_it_and_the_whole_last() -> None:
    result = validate("-f", write("bad.yaml", GOOD.replace("  repository: registry.example.com/shop/bundle\n", "")))

    assert [line.partition(" BundleWatch")[0] for line in result.stdout.splitlines()] == ["bad.yaml:6:", "bad.yaml:1:"]
    assert "spec.repository: Required value" in result.stdout


@pytest.mark.parametrize(
    ("tags", "line", "says"),
    [
        ("pattern: '^v(?=1)'", 9, "spec.tags.pattern"),
        ("exclude: ['a', '[z-a]']", 9, "spec.tags.exclude"),
        ("range: '>2 <1'", 9, "spec.tags.range: range '>2 <1' can never match"),
    ],
)
def test_what_the_operator_would_stall_on_is_told_too(tags: str, line: int, says: str) -> None:
    bad = GOOD.replace("  applications:", f"  tags:\n    {tags}\n  applications:")

    result = validate("-f", write("bad.yaml", bad))

    assert result.exit_code == 2
    assert result.stdout.startswith(f"bad.yaml:{line}: BundleWatch web/shop: {says}")


def test_nulls_mean_nothing_as_they_do_to_the_server() -> None:
    assert validate("-f", write("good.yaml", GOOD + "  pin: null\n  interval:\n  tags: ~\n")).exit_code == 0


def test_a_field_that_is_there_twice_is_a_mistake() -> None:
    result = validate("-f", write("bad.yaml", GOOD + "  repository: registry.example.com/other\n"))

    assert result.exit_code == 2
    assert result.stdout == (
        'bad.yaml:10: BundleWatch web/shop: strict decoding error: duplicate field "spec.repository"\n'
    )


def test_one_name_twice_is_a_mistake_that_names_the_first() -> None:
    elsewhere = GOOD.replace("namespace: web", "namespace: staging")

    result = validate("-f", write("a.yaml", OTHER, GOOD), "-f", write("b.yaml", elsewhere, GOOD))

    assert result.exit_code == 2
    assert result.stdout.startswith("b.yaml:11: BundleWatch web/shop: is already at a.yaml:5: of two with one name")
    assert result.stderr == "bundlewatch: 2 BundleWatches valid, 1 not; 1 other object skipped\n"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("v1alpha1", "v1"), 'BundleWatch web/shop: no matches for kind "BundleWatch" in version "bundlewatch.dev/v1"'),
        (("kind: BundleWatch", "kind: BundleWatches"), "BundleWatches web/shop: no matches for kind"),
        (("apiVersion: bundlewatch.dev/v1alpha1\n", ""), "BundleWatch web/shop: apiVersion not set: write"),
        (("kind: BundleWatch\n", ""), "BundleWatch web/shop: kind not set: write kind: BundleWatch"),
        (("  namespace: web\n", "  labels: 7\n"), "BundleWatch shop: json: cannot unmarshal number"),
        (("  name: shop\n  namespace: web", "  {}"), "BundleWatch: metadata.name: Required value"),
    ],
    ids=str,
)
def test_what_is_meant_to_be_ours_is_told_what_it_lacks(change: tuple[str, str], says: str) -> None:
    result = validate("-f", write("bad.yaml", GOOD.replace(*change)))

    assert result.exit_code == 2
    assert says in result.stdout


def test_a_value_that_was_not_rendered_has_its_cure_besides() -> None:
    result = validate("-f", write("bad.yaml", GOOD.replace("registry.example.com/shop/bundle", "'{{ .Values.repo }}'")))

    assert result.exit_code == 2
    assert "has white space in it: remove it" in result.stdout
    assert "helm template … | bundlewatch validate -f -" in result.stdout


def test_text_of_files_cannot_break_a_line_or_colour_a_screen() -> None:
    bad = GOOD.replace("name: shop\n", 'name: "a\\nb\\e[31m"\n', 1) + '  "x\\ny\\e[31m\\u202e": 1\n'

    result = validate("-f", write("bad.yaml", bad))

    assert len(result.stdout.splitlines()) == 1
    assert result.stdout.removesuffix("\n").isprintable()


# As JSON


@pytest.mark.parametrize(
    "repository",
    [
        "robot:hunter2@registry.example.com/shop",
        "https://robot:hunter2@registry.example.com/shop",
        'robot:"hunter2\\x@registry.example.com/shop',
        "robot:hunter2@registry.example.com",
    ],
)
@pytest.mark.parametrize("output", ["text", "json"])
def test_a_login_in_the_repository_does_not_reach_the_log_of_a_pipeline(repository: str, output: str) -> None:
    bad = GOOD.replace("registry.example.com/shop/bundle", f"'{repository}'")

    for arguments in (["validate", "-o", output], ["explain"]):
        result = CliRunner().invoke(main, [*arguments, "-f", write("bad.yaml", bad)])
        assert result.exit_code == 2
        assert "hunter2" not in result.output
        assert "registry.example.com" in result.output


def test_json_has_every_object_with_its_errors() -> None:
    bad = GOOD.replace("namespace: web", "namespace: staging") + "  schedule: daily\n"

    result = validate("-o", "json", "-f", write("all.yaml", OTHER, GOOD, bad), write("broken.yaml", "a: ["))

    assert result.exit_code == 2
    assert report(result) == {
        "valid": False,
        "objects": [
            {"file": "all.yaml", "line": 5, "namespace": "web", "name": "shop", "valid": True, "errors": []},
            {
                "file": "all.yaml",
                "line": 15,
                "namespace": "staging",
                "name": "shop",
                "valid": False,
                "errors": [{"line": 24, "message": 'strict decoding error: unknown field "spec.schedule"'}],
            },
            {
                "file": "broken.yaml",
                "line": 2,
                "namespace": "",
                "name": "",
                "valid": False,
                "errors": [{"line": 2, "message": "is no YAML: did not find expected node content"}],
            },
        ],
        "skipped": 1,
    }


def test_json_of_good_manifests_says_so() -> None:
    result = validate("-o", "json", "-f", write("good.yaml", GOOD))

    assert result.exit_code == 0
    assert report(result)["valid"] is True


# Which files


def test_a_directory_means_all_manifests_under_it() -> None:
    write("apps/b/shop.yml", GOOD)
    write("apps/a.yaml", OTHER)
    write("apps/c.json", json.dumps({"kind": "BundleWatch"}))
    write("apps/README.md", "not: [yaml")

    result = validate("-f", "apps")

    assert result.stdout.startswith("apps/c.json:1: BundleWatch: apiVersion not set")
    assert result.stderr == "bundlewatch: 1 BundleWatch valid, 1 not; 1 other object skipped\n"


def test_files_are_named_with_the_flag_or_without_and_read_once() -> None:
    write("apps/shop.yaml", GOOD)
    two = write("two.txt", GOOD.replace("name: shop", "name: two"))

    result = validate("-f", "apps", "apps/shop.yaml", two)

    assert result.exit_code == 0
    assert result.stderr == "bundlewatch: 2 BundleWatches valid\n"


def test_standard_input_is_a_file_too() -> None:
    result = validate("-f", "-", standard_input=GOOD + "  schedule: daily\n")

    assert result.exit_code == 2
    assert result.stdout.startswith("<stdin>:10: BundleWatch web/shop: strict decoding error: unknown field")


@pytest.mark.parametrize("empty", ["", "# nothing\n", OTHER])
def test_no_bundlewatch_at_all_is_a_mistake(empty: str) -> None:
    result = validate("-f", "-", standard_input=empty)

    assert result.exit_code == 2
    assert result.stderr.startswith("bundlewatch: no BundleWatch found")


def test_no_file_at_all_is_a_mistake() -> None:
    result = validate()

    assert result.exit_code == 2
    assert "bundlewatch validate -f FILE, or - for standard input" in result.stderr


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_checked() -> None:
    Path("latin.yaml").write_bytes(b"a: 1\nb: \xe9\n")

    result = validate("-f", "nowhere.yaml", "latin.yaml", write("good.yaml", GOOD))

    assert result.exit_code == 2
    assert result.stdout.splitlines() == [
        "nowhere.yaml:1: cannot be read: No such file or directory",
        "latin.yaml:2: is no text in UTF-8: save it in this encoding",
    ]
    assert result.stderr == "bundlewatch: 1 BundleWatch valid; 2 files cannot be read\n"


def test_a_template_is_told_how_to_be_rendered() -> None:
    result = validate("-f", write("chart/templates/shop.yaml", GOOD + "  pin: {{ .Values.pin }}\n"))

    assert result.exit_code == 2
    assert result.stdout == (
        "chart/templates/shop.yaml:10: is a template, not a manifest: render it first, as by helm template … | "
        "bundlewatch validate -f -; as it stands it has a map or a list for a key: put it in quotes\n"
    )


@pytest.mark.parametrize(
    ("window", "says"),
    [
        ("{kind: Allow, schedule: '99 9 * * *', duration: 8h}", "spec.gates.windows[0].schedule"),
        ("{kind: Deny, schedule: '0 9 * * *', duration: 8h, timeZone: Europe/Nowhere}", "Europe/Nowhere"),
    ],
)
def test_a_window_that_only_the_operator_would_find_wrong_is_found(window: str, says: str) -> None:
    result = validate("-f", write("shop.yaml", GOOD + f"  gates:\n    windows:\n    - {window}\n"))

    assert result.exit_code == 2
    assert says in result.stdout


def after(name: str, *upstreams: str, namespace: str = "web") -> str:
    manifest = GOOD.replace("name: shop\n", f"name: {name}\n", 1).replace("namespace: web", f"namespace: {namespace}")
    return manifest + "  gates:\n    after:\n" + "".join(f"    - name: {upstream}\n" for upstream in upstreams)


def test_bundlewatches_that_wait_for_each_other_are_found_among_all_files() -> None:
    result = validate(
        "-f", write("a.yaml", after("a", "b", "elsewhere")), write("b.yaml", after("b", "a"), after("c", "a"))
    )

    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(
        "a.yaml:11: BundleWatch web/a: spec.gates.after leads back to itself, a -> b -> a, so that each waits"
    )
    assert lines[1].startswith("b.yaml:11: BundleWatch web/b: spec.gates.after leads back to itself, b -> a -> b, ")
    assert result.stderr == "bundlewatch: 1 BundleWatch valid, 2 not\n"


def test_one_that_waits_for_itself_is_found() -> None:
    result = validate("-f", write("a.yaml", after("a", "a")))

    assert result.exit_code == 2
    assert result.stdout.startswith("a.yaml:11: BundleWatch web/a: spec.gates.after ")


def test_a_chain_is_none_and_each_namespace_is_its_own() -> None:
    result = validate("-f", write("all.yaml", after("a", "b"), after("b", "c"), after("b", "a", namespace="staging")))

    assert (result.exit_code, result.stdout) == (0, "")
