"""What `wait` and its like say to a mistake in the call, before any cluster is asked."""

from pathlib import Path
from typing import NoReturn

import pytest
from click.testing import CliRunner

from bundlewatch.cli import main
from bundlewatch.cli.cluster import Login


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param("wait", "Missing argument 'NAME'", id="no-name"),
        pytest.param("wait shop", "Missing option '--for'", id="no-tag"),
        pytest.param("wait shop --for=", "--for is empty; name the tag that was pushed", id="empty-tag"),
        pytest.param("wait shop --for 1.0.4 --timeout 10", "'10' is not a duration such as 30s, 5m or", id="no-unit"),
        pytest.param("wait shop --for 1.0.4 --timeout 1d", "'1d' is not a duration such as 30s, 5m or", id="days"),
        pytest.param("wait shop --for 1.0.4", "kubeconfig /nonexistent does not exist", id="no-cluster"),
        pytest.param("reconcile shop --wait --timeout soon", "'soon' is not a duration", id="reconcile"),
        pytest.param("approve shop", "Missing argument 'TAG[@DIGEST]'", id="nothing-approved"),
        pytest.param("approve shop 1.0.4@latest", "the digest is none", id="no-digest"),
        pytest.param("approve shop @sha256:4d5b", "it is empty", id="digest-alone"),
        pytest.param("retry", "Missing argument 'NAME'", id="retry"),
    ],
)
def test_a_mistake_in_the_call_is_named_and_ends_with_2(arguments: str, says: str) -> None:
    done = CliRunner().invoke(main, arguments.split(), env={"KUBECONFIG": "/nonexistent"})

    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr


def test_an_interrupt_before_the_cluster_has_answered_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(Login, "client", interrupted)

    done = CliRunner().invoke(main, ["wait", "shop", "--for", "1.0.4"])

    assert (done.exit_code, done.stdout) == (130, "")
    assert done.stderr == "bundlewatch: interrupted; shop waits for 1.0.4: the Kubernetes API has not answered yet\n"


def test_a_cluster_that_does_not_answer_is_named_with_the_ways_to_name_another(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(
        "{apiVersion: v1, kind: Config, current-context: shop, users: [], "
        "clusters: [{name: shop, cluster: {server: 'http://127.0.0.1:1'}}], "
        "contexts: [{name: shop, context: {cluster: shop, user: shop}}]}"
    )

    for context, named in (([], "the current context"), (["--context", "shop"], "context shop")):
        done = CliRunner().invoke(main, ["wait", "shop", "--for", "1.0.4", "--kubeconfig", str(file), *context])

        assert done.exit_code == 2
        assert done.stderr.endswith(
            f"; that was {named} of {file}; name another by --context, --kubeconfig or KUBECONFIG\n"
        )
