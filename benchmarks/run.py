"""`make bench`: every benchmark, one after the other, on real servers; then their figures as one table.

    PYTHONPATH=tests .venv/bin/python benchmarks/run.py [--quick] [--only NAME …] [--json FILE]

Each benchmark is a file of its own beside this one and says what it measures, how, and what it does not say. Nothing
here is a test: a goal that is missed is shown as missed, and the exit status is 0 unless a benchmark could not be
carried out.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import figures
import first_start
import idle
import machine
import one_repository
import push_to_patched
import registry_client
import selection

BENCHMARKS = {
    "selection": selection.measure,
    "registry-client": registry_client.measure,
    "first-start": first_start.measure,
    "one-repository": one_repository.measure,
    "idle": idle.measure,
    "push-to-patched": push_to_patched.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="BundleWatch's figures on this machine; about ten minutes.")
    parser.add_argument("--quick", action="store_true", help="few objects: whether it runs, not how fast it is")
    parser.add_argument("--only", metavar="NAME", action="append", choices=BENCHMARKS, help=", ".join(BENCHMARKS))
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to this file, too")
    arguments = parser.parse_args()

    about = machine.description()
    results: list[figures.Result] = []
    try:
        for name in arguments.only or BENCHMARKS:
            began = time.monotonic()
            _say(f"{name} …")
            results.append(BENCHMARKS[name](quick=arguments.quick))
            _say(f"{name}: {time.monotonic() - began:.0f} s")
    finally:  # what was measured before one of them failed is not lost
        _report(results, about=about, quick=arguments.quick)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures.document(results, machine=about), indent=2) + "\n")


def _report(results: Sequence[figures.Result], *, about: Mapping[str, str], quick: bool) -> None:
    if quick:
        print("A quick run, with few objects: these are not the figures.\n")
    wide = max(map(len, about))
    print("\n".join(f"{key:{wide}}  {value}" for key, value in about.items()))
    print()
    print(figures.table(results))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
