"""Measures httpuv and its peers in one run, on this machine.

python benchmarks/run.py [GROUP or SCENARIO ...] [--peers PEER ...] [--slices N] [--seconds S]
python benchmarks/run.py compared-http compared-files compared-ws --against COMMIT or FOLDER
python benchmarks/run.py --list

The servers are on one core, the client is on another. All servers of a scenario live at once, and
short slices alternate between them; medians and ranges count (slices.py). Every server first has to
give the right answers: a wrong one is not timed and fails the run. The result is a table of targets
and what was reached, and a table of each scenario; it is printed and kept in benchmarks/results/.

With --against, httpuv as it is installed is compared with that of a commit, which is built in
build/against, or with a build that is there already. Without any name, all that has targets runs.

With --into NAME the result is added to that of earlier runs with the same name: groups can be
measured one by one, and there is one table and one JSON file in the end.

The first run makes benchmarks/.venv with the peers of requirements.txt, and installs wrk, nginx and
the headers that bjoern needs where it may. R's httpuv takes part if r-cran-httpuv is installed.
"""

from __future__ import annotations

import argparse
import datetime
import signal
import sys
import time
from pathlib import Path

import against
import report
import slices
import topic_figures
from measure import environment
from plan.field import BEFORE, OURS, PEERS
from plan.groups import GROUPS
from plan.scenarios import SCENARIOS

HERE = Path(__file__).parent
RESULTS = HERE / "results"
#: Seconds for each scenario, if nothing else is said.
LIMIT = 120.0


def chosen_scenarios(names: list[str]) -> list[str]:
    """Those named, or those with targets, in the order of the table."""
    chosen: set[str] = set()
    for name in names or ["targets"]:
        if name not in SCENARIOS and name not in GROUPS:
            known = ", ".join([*GROUPS, "topics", *SCENARIOS])
            raise SystemExit(f"no scenario {name!r}; there are {known}")
        chosen.update(GROUPS.get(name, [name]))
    return [name for name in SCENARIOS if name in chosen]


def chosen_peers(names: list[str] | None, versions: dict[str, str]) -> tuple[list[str], list[str]]:
    """Those named, or all: that are installed, and that are not."""
    for name in names or []:
        if name not in PEERS:
            raise SystemExit(f"no peer {name!r}; there are {', '.join(PEERS)}")
    chosen = [name for name in PEERS if names is None or name in names]
    left_out = [name for name in chosen if PEERS[name].package not in versions]
    return [name for name in chosen if name not in left_out], left_out


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    parser.add_argument("--peers", nargs="+", metavar="PEER", help="only these")
    parser.add_argument("--slices", type=int, default=9, help="of each peer of a target; 9")
    parser.add_argument("--beside", type=int, default=3, help="of each other peer; 3")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a slice; 1")
    parser.add_argument("--against", metavar="COMMIT", help="compare with our build of COMMIT")
    parser.add_argument("--quick", action="store_true", help="3 slices, 1 of each other peer")
    parser.add_argument("--limit", type=float, help=f"seconds in all; {LIMIT:.0f} a scenario")
    parser.add_argument("--into", metavar="NAME", help="add to benchmarks/results/NAME.json")
    parser.add_argument("--cores", default="", metavar="SERVER,CLIENT")
    parser.add_argument("--list", action="store_true", help="name groups, scenarios and peers")
    parser.add_argument("--report", action="store_true", help="only print what --into names")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.slices, arguments.beside = 3, 1
    if arguments.slices < 1 or arguments.beside < 0 or arguments.seconds <= 0:
        parser.error("--slices, --beside and --seconds must be positive")
    if arguments.report and not arguments.into:
        parser.error("--report needs --into")
    return arguments


def list_all(arguments: argparse.Namespace) -> None:
    plan = slices.Plan(arguments.slices, arguments.beside, arguments.seconds, None, None, 0, {})
    for name, members in GROUPS.items():
        seconds = sum(slices.estimate(member, plan) for member in members)
        print(f"{name:18} about {seconds:.0f} s: {' '.join(members)}")
    print()
    for name, scenario in SCENARIOS.items():
        peers = ", ".join(filter(scenario.admits, PEERS))
        print(f"{name:24} {scenario.family}: {scenario.title}: {peers}")


def end(number: int, frame: object) -> None:
    """What SIGTERM does; a second one must not keep servers from being ended."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit("ended by SIGTERM")


def found_so_far(name: str | None) -> report.Results:
    path = RESULTS / f"{name}.json"
    return report.read_json(path) if name and path.exists() else report.Results({})


def measure(arguments: argparse.Namespace, results: report.Results) -> None:
    """Measures what was asked for, and writes down how."""
    with_topics = "topics" in arguments.scenarios or not arguments.scenarios
    names = [name for name in arguments.scenarios if name != "topics"]
    chosen = chosen_scenarios(names) if names or not arguments.scenarios else []
    environment.install_system_packages()
    environment.install_peers()
    environment.build_clients()
    versions = dict(environment.peer_versions())
    values = {}
    if environment.httpuv_version():
        versions[OURS] = environment.httpuv_version()
        if not environment.installed_by_pip():
            print("httpuv is not the one that pip installs: is it an optimised build?", flush=True)
    if arguments.against:
        build = against.build(arguments.against)
        versions[BEFORE] = build.name
        values = {"before": str(build.python), "before_path": build.path}
    peers, left_out = chosen_peers(arguments.peers, versions)
    pins = slices.cores(arguments.cores)
    limit = arguments.limit or LIMIT * (len(chosen) + 1)
    runs = results.facts.get("runs", [])
    assert isinstance(runs, list)
    facts = environment.facts(versions)
    method = f"{arguments.slices} slices of {arguments.seconds:g} s ({arguments.beside} of others)"
    runs.append(
        {
            "scenarios": chosen + ["topics"] * with_topics,
            "at": datetime.datetime.now().isoformat(timespec="seconds"),
            "method": method,
            "commit": facts["commit"],
            "against": versions.get(BEFORE, ""),
            "load_average": facts["load_average"],
        }
    )
    facts["runs"] = runs
    facts["method"] = (
        f"All servers on core {pins[0]}, client on core {pins[1]}; {method}, alternating."
    )
    results.facts = facts
    for name in chosen:
        results.forget(name)
        for peer in filter(SCENARIOS[name].admits, left_out):
            # R's httpuv and the build to compare with are optional.
            if PEERS[peer].package not in (BEFORE, "R httpuv"):
                results.fail(name, peer, "NotOffered: not installed")
    plan = slices.Plan(
        arguments.slices,
        arguments.beside,
        arguments.seconds,
        *pins,
        time.monotonic() + limit,
        values,
    )
    slices.measure(chosen, peers, plan, results)
    if with_topics:
        topic_figures.measure(results, arguments.quick, max(30.0, plan.deadline - time.monotonic()))


def main() -> int:
    arguments = options()
    if arguments.list:
        list_all(arguments)
        return 0
    results = found_so_far(arguments.into)
    interrupted = False
    if not arguments.report:
        # Ended from outside, it ends its servers, too.
        signal.signal(signal.SIGTERM, end)
        try:
            measure(arguments, results)
        except (KeyboardInterrupt, SystemExit) as error:
            if not results.measured:
                raise
            interrupted = True
            print(f"{error or 'interrupted'}: what was measured so far is kept")
    name = arguments.into or datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    path = report.write(results, RESULTS, name, bool(arguments.into))
    print("\n" + path.read_text())
    wrong = [
        why
        for whys in results.failures.values()
        for why in whys.values()
        if not why.startswith("NotOffered")
    ]
    return 1 if wrong or interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
