"""Nothing outlives a run, however it ends."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kit.room import ProcessError, Room
from kit.waiting import eventually

TESTS = Path(__file__).parents[2]

# A run with one server that forks another, telling where they are and then ending as the argument says.
RUN = """
import json, os, signal, subprocess, sys, time
from kit.room import Room
from kit.waiting import eventually

room = Room(prefix="bundlewatch-test-")
forker = room.start("forker", ["sh", "-c", "sleep 1000 & echo $!; wait"])
forked = int(eventually(forker.output.read_text))
pids = [forker.pid, forked, room._reaper.pid]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background inherits it ignored
print(json.dumps({"directory": str(room.directory), "pids": pids}), flush=True)
exec(sys.argv[1])
"""

ENDINGS = {
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "interrupted": "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)",
    "terminated": "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
    "failing": "raise AssertionError('a test failed')",
    "returning without closing": "",
}


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def room() -> Iterator[Room]:
    with Room(prefix="bundlewatch-test-") as room:
        yield room


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_process_and_no_directory_outlives_a_run_that_is(ending: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, ENDINGS[ending]],
        cwd=TESTS,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    left = json.loads(done.stdout)
    eventually(lambda: not any(runs(pid) for pid in left["pids"]), message=f"{left['pids']} still run")
    eventually(lambda: not Path(left["directory"]).exists(), message=f"{left['directory']} is still there")


def test_a_server_ends_even_with_its_reaper(room: Room) -> None:
    process = room.start("sleeper", ["sleep", "1000"])

    room._reaper.kill()

    eventually(lambda: not runs(process.pid))
    room.close()
    assert not room.directory.exists()


def test_a_closed_room_is_gone_when_close_returns(room: Room) -> None:
    process = room.start("sleeper", ["sleep", "1000"])

    room.close()

    assert not runs(process.pid)
    assert not room.directory.exists()


def test_a_process_that_fails_is_explained_by_the_end_of_its_output(room: Room) -> None:
    process = room.start("failing", ["sh", "-c", "echo no such flag; exit 3"])
    process.wait(timeout_s=10)

    with pytest.raises(ProcessError) as raised:
        process.expect_running()

    assert str(raised.value) == "failing ended with status 3; the end of its output:\nno such flag"


def test_a_signal_reaches_what_the_process_forked(room: Room) -> None:
    forker = room.start("forker", ["sh", "-c", "sleep 1000 & echo $!; wait"])
    forked = int(eventually(forker.output.read_text))

    forker.signal(signal.SIGKILL)
    forker.wait(timeout_s=10)

    eventually(lambda: not runs(forked))


def test_the_persons_own_settings_do_not_reach_a_server(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_HTTP_ADDR", "0.0.0.0:5000")
    monkeypatch.setenv("ETCD_DATA_DIR", "/var/lib/etcd")

    process = room.start("environment", ["env"], environment={"GIVEN": "yes"})
    process.wait(timeout_s=10)

    names = {line.split("=")[0] for line in process.output.read_text().splitlines()}
    assert "GIVEN" in names
    assert not names & {"REGISTRY_HTTP_ADDR", "ETCD_DATA_DIR"}
