"""Measures httpuv and its peers in turn, in one run, on this machine.

python benchmarks/run.py [SCENARIO ...] [--peers PEER ...] [--rounds N] [--seconds S]
python benchmarks/run.py [SCENARIO ...] --against COMMIT [--rounds N] [--seconds S]

One process each. The server is pinned to one core and the client to another; within a round the
peers take turns, and the median of the rounds counts. Every server first has to give the right
answers: a wrong one is not timed and fails the run. The result, ratios first, is printed and kept
in benchmarks/results/.

With --against, httpuv as it is installed is compared with that of another commit, which is built
in build/against: both servers live at once, and short slices alternate between them (against.py).

The first run makes benchmarks/.venv with the peers of requirements.txt, and installs wrk, nginx and
the headers that bjoern needs where it may. R's httpuv takes part if r-cran-httpuv is installed.
"""

from __future__ import annotations

import argparse
import datetime
import os
import string
import sys
import tempfile
from pathlib import Path

import against
import checks
import environment
import report
from field import GROUPS, OURS, PEERS, PEERS_FOLDER, SCENARIOS, Peer, Scenario
from loads import LoadFailed, Measured, many_descriptors
from servers import Died, NotOffered, free_port, running

HERE = Path(__file__).parent
RESULTS = HERE / "results"
NEIGHBOUR = PEERS_FOLDER / "neighbour.py"


def chosen_scenarios(names: list[str]) -> list[str]:
    """Those named, or all, in the order of the table."""
    chosen: set[str] = set()
    for name in names or SCENARIOS:
        if name not in SCENARIOS and name not in GROUPS:
            known = ", ".join([*SCENARIOS, *GROUPS])
            raise SystemExit(f"no scenario {name!r}; there are {known}")
        chosen.update(GROUPS.get(name, [name]))
    return [name for name in SCENARIOS if name in chosen]


def chosen_peers(names: list[str] | None, versions: dict[str, str]) -> list[str]:
    """Those named, or all, that are installed."""
    for name in names or []:
        if name not in PEERS:
            raise SystemExit(f"no peer {name!r}; there are {', '.join(PEERS)}")
    chosen = [name for name in PEERS if names is None or name in names]
    left_out = [name for name in chosen if PEERS[name].package not in versions]
    if left_out:
        print("not installed, so left out:", ", ".join(left_out), flush=True)
    return [name for name in chosen if name not in left_out]


def cores(option: str) -> tuple[str | None, str | None]:
    """The core of the server and that of the client; None with a single core."""
    if option:
        server, _, load = option.partition(",")
        return server, load
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        print("one core only: client and server share it, and the ratios mean little")
        return None, None
    return str(allowed[0]), str(allowed[1])


def command_of(peer: Peer, scenario: Scenario, port: int, root: Path, temp: Path) -> list[str]:
    values = {"port": str(port), "root": str(root), "temp": str(temp)}
    command = [part.format(**values) for part in peer.command]
    if scenario.busy and peer.keeps_busy:
        command += ["--busy", scenario.busy]
    elif scenario.busy:
        command = [sys.executable, str(NEIGHBOUR), scenario.busy, *command]
    elif scenario.tls and command[0] != "nginx":
        command += ["--tls", str(temp)]
    if command[0] == "nginx" or "nginx" in command:
        template = string.Template((PEERS_FOLDER / "nginx.conf").read_text())
        ssl = " ssl" if scenario.tls else ""
        text = template.substitute(PORT=port, ROOT=f"{root}/", TEMP=temp, SSL=ssl)
        (temp / "nginx.conf").write_text(text)
    return command


def measure_one(
    name: str,
    scenario: Scenario,
    root: Path,
    temp: Path,
    seconds: float,
    pins: tuple[str | None, str | None],
) -> Measured:
    """Starts a peer, checks its answers, warms it up and measures it."""
    peer = PEERS[name]
    port = free_port()
    command = command_of(peer, scenario, port, root, temp)
    core = pins[0] if scenario.pinned else None
    env = {"PYTHONDONTWRITEBYTECODE": "1", **dict(peer.environment)}
    with running(command, port, core, env, temp / "server.log") as server:
        scenario.check(port, root)
        if scenario.load.warms_up:
            scenario.load.measure(server, pins[1], 1)
        return scenario.load.measure(server, pins[1], seconds)


def run(
    scenarios: list[str],
    peers: list[str],
    rounds: int,
    seconds: float,
    pins: tuple[str | None, str | None],
    results: report.Results,
) -> None:
    with tempfile.TemporaryDirectory(prefix="httpuv-bench-") as temp_name, many_descriptors():
        temp = Path(temp_name)
        temp.chmod(0o755)  # nginx's worker is another user
        environment.certificate(temp)
        with environment.folder(temp) as root:
            for scenario_name in scenarios:
                scenario = SCENARIOS[scenario_name]
                field = [name for name in peers if scenario.admits(name)]
                for number in range(rounds):
                    for name in field:
                        if name in results.failures.get(scenario_name, {}):
                            continue
                        try:
                            one = measure_one(name, scenario, root, temp, seconds, pins)
                        except (checks.Wrong, LoadFailed, NotOffered, Died, OSError) as error:
                            kind = type(error).__name__
                            print(f"{scenario_name}: {name}: {kind}: {error}", flush=True)
                            results.fail(scenario_name, name, f"{kind}: {error}")
                            continue
                        results.add(scenario_name, name, one)
                        print(
                            f"{scenario_name} {number + 1}/{rounds} {name:18} "
                            f"{report.number(one.value, scenario.unit):>12}  "
                            f"p99 {one.p99_us:8.0f} µs  server {one.server_cpu:4.0%}  "
                            f"client {one.load_cpu:4.0%}",
                            flush=True,
                        )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    parser.add_argument("--peers", nargs="+", metavar="PEER", help="only these")
    parser.add_argument("--rounds", type=int, help="3; 11 slices of each with --against")
    parser.add_argument("--seconds", type=float, help="of each measurement; 4, or 1 with --against")
    parser.add_argument("--against", metavar="COMMIT", help="compare with our build of COMMIT")
    parser.add_argument("--quick", action="store_true", help="1 round of 2 s")
    parser.add_argument("--cores", default="", metavar="SERVER,CLIENT")
    parser.add_argument("--plots", action="store_true", help="bar charts, with matplotlib")
    parser.add_argument("--list", action="store_true", help="name scenarios and peers")
    arguments = parser.parse_args()
    if arguments.list:
        for name, scenario in SCENARIOS.items():
            print(f"{name:18} {scenario.title}: {', '.join(filter(scenario.admits, PEERS))}")
        return 0
    if arguments.quick:
        arguments.rounds, arguments.seconds = 1, 2.0
    arguments.rounds = arguments.rounds or (against.SLICES if arguments.against else 3)
    arguments.seconds = arguments.seconds or (1.0 if arguments.against else 4.0)
    scenarios = chosen_scenarios(arguments.scenarios)
    if arguments.against:
        return against.main(arguments, scenarios, cores(arguments.cores), command_of, RESULTS)

    environment.install_system_packages()
    environment.install_peers()
    environment.build_wsload()
    facts = environment.facts()
    versions = dict(environment.peer_versions())
    if environment.httpuv_version():
        versions[OURS] = environment.httpuv_version()
    peers = chosen_peers(arguments.peers, versions)
    pins = cores(arguments.cores)
    facts["method"] = (
        f"Server on core {pins[0]}, client on core {pins[1]}; "
        f"median of {arguments.rounds}, {arguments.seconds:.0f} s each."
    )
    results = report.Results(facts)
    try:
        run(scenarios, peers, arguments.rounds, arguments.seconds, pins, results)
    except KeyboardInterrupt:
        print("interrupted: what was measured so far is kept")
    stamp = datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    path = report.write(results, RESULTS, stamp)
    print("\n" + path.read_text())
    if arguments.plots:
        report.plot(results, RESULTS)
    wrong = [
        why
        for whys in results.failures.values()
        for why in whys.values()
        if not why.startswith("NotOffered")
    ]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
