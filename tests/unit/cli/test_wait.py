"""What `wait` and its like say to a mistake in the call, before any cluster is asked."""

import pytest
from click.testing import CliRunner

from bundlewatch.cli import main


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
