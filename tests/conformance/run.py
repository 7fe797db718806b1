"""Runs the independent conformance suites that are laid out on this machine against our server.

python tests/conformance/run.py [--list] [--at CONTRACT=PORT] [SUITE ...]

CONF         the folder in which the suites were laid out
CONFORMANCE  the folder of their runner scripts

These suites are the work of others and none is part of this repository: what is not there is named
and passed over. Each suite that is there gets a fresh server that keeps its contract (servers.py).
The table below says for each how many of its cases must pass, and why the others do not: a case
that fails without a reason standing there fails the run, and so does a suite below its bar. Only
a case that is itself wrong, or that contradicts the manual, counts as passed for the bar: such
cases are "excused" and shown.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import explained
import reading
from reading import Outcome
from running import BrokenContract, NotOffered, Unfinished, probe, run_command, serving

HERE = Path(__file__).parent
LOGS = HERE.parent.parent / "build" / "conformance"

FUZZ = "{conf}/venvs/srv/bin/python {runners}/fuzz.py {port} "
SLOW = "slowhttptest -c 200 -r 100 -l 20 -p 3 "
NODE = "node/node_modules/.bin/"
SEND = "src/pillarjs+send/test/fixtures"
SERVE_STATIC = "src/expressjs+serve-static/test/fixtures"


@dataclass(frozen=True)
class Suite:
    """One row of the table.

    Attributes:
        contract: What the server must do, see servers.py; "OWN" has its own way to start it.
        commands: Run one after another; {port}, {conf}, {runners}, {here} and {python} are filled
            in.
        needs: Below CONF, a program, or "python:MODULE"; the suite is not there without them.
        read: From the outputs, the port and CONF to the outcome.
        bar: At least so many cases must pass; None: all there are.
        seconds: For each command.
        root: Of a STATIC server, below CONF; "large" is a folder with one large file.
        env: Besides the environment.
        excused: Cases that are wrong, or that ask for what the manual forbids, and why.
        explained: Cases that fail for another good reason, and the reason.
    """

    contract: str
    commands: tuple[str, ...]
    needs: tuple[str, ...]
    read: Callable[[list[str], int, Path], Outcome]
    bar: int | None
    seconds: float
    root: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    excused: Mapping[str, str] = field(default_factory=dict)
    explained: Mapping[str, str] = field(default_factory=dict)


def autobahn(*shards: str, bar: int, seconds: float) -> Suite:
    return Suite(
        contract="WS",
        commands=("{runners}/autobahn-all.sh {port}",),
        needs=("venvs/wstest2",),
        read=lambda texts, port, conf: reading.read_autobahn(conf / "out", port, shards),
        bar=bar,
        seconds=seconds,
        env={"SHARDS": " ".join(shards)},
    )


_CODED = (
    "these cases ask a parser for the coded bytes; a server that does not decode the coding must"
    " not give them to the application: 501 (RFC 9112, 6.1)"
)
_CONNECT = "CONNECT parses; a server that is no proxy answers 405 (RFC 9110, 9.3.6)"
GUNICORN_WRONG = {
    "valid 025": _CODED,
    "valid 025_line": _CODED,
    "valid 029": _CODED,
    "valid 030": _CODED,
    "valid rfc9112_smuggle_gzip_chunked_01": _CODED,
    "valid rfc9112_smuggle_te_identity_chunked_01": _CODED,
    "valid rfc9112_target_authority_connect_01": _CONNECT,
    "valid rfc9112_target_authority_ipv6_01": _CONNECT,
    "valid 020": "the runner adds a Host field to the body of this request; it passes without",
    "valid 099": "the body ends before its Content-Length: a server can only wait for the rest",
}
GUNICORN_MISSES = {
    "valid 027": "bytes beyond ASCII in the target (RFC 9112, 3.2); the other corpus is against it",
    "valid 009": "Transfer-Encoding beside Content-Length, and an unknown coding (RFC 9112, 6.1)",
    "invalid 017": "a field of 8 KiB is beyond gunicorn's limit and within ours",
}
LLHTTP_WRONG = {
    "valid transfer-encoding/POST with `chunked` as last transfer-encoding": _CODED,
    "valid transfer-encoding/POST with `chunked` as last transfer-encoding (multiple headers)": (
        _CODED
    ),
    "invalid connection/CRLF between requests, implicit `keep-alive`": "the runner sends the prose"
    " up to the next case too: the first request is valid and answered, the rest refused",
}
LLHTTP_MISSES = {
    "invalid invalid/Invalid method": "a method may be any token (RFC 9110, 9.1); llhttp has a"
    " list, and the other corpus has valid methods that are not on it",
    "valid sample/No HTTP version": "HTTP/0.9 is no part of RFC 9112",
}
CORPORA = {
    "gunicorn": (109, "src/benoitc+gunicorn", GUNICORN_WRONG, GUNICORN_MISSES),
    "llhttp": (114, "src/nodejs+llhttp", LLHTTP_WRONG, LLHTTP_MISSES),
}


def corpus(name: str, seconds: float, options: str = "") -> Suite:
    bar, source, wrong, misses = CORPORA[name]
    return Suite(
        contract="GARDEN",
        commands=(f"python3 {{runners}}/corpus.py {{port}} {name} {options}",),
        needs=(source,),
        read=lambda texts, port, conf: reading.read_corpus(texts[0]),
        bar=bar,
        seconds=seconds,
        excused=wrong,
        explained=misses,
    )


def of_a_server(
    name: str, source: str, modules: tuple[str, ...], bar: int, why: Mapping[str, str]
) -> Suite:
    return Suite(
        contract="OWN",
        commands=(f"{{python}} {{here}}/pytest_suite.py {name}",),
        needs=(f"src/{source}", *(f"python:{module}" for module in modules)),
        read=lambda texts, port, conf: reading.read_pytest(texts[0]),
        bar=bar,
        seconds=600,
        explained=why,
    )


PARENT = "a `..` segment is refused with 400, as in the reference"

SUITES: dict[str, Suite] = {
    "h1spec": Suite(
        contract="ECHO",
        commands=("{runners}/h1spec-uws.sh {port}",),
        needs=(NODE + "deno", "src/uNetworking+h1spec"),
        read=lambda texts, port, conf: reading.read_h1spec(texts[0]),
        bar=33,
        seconds=60,
    ),
    "fragmentation": Suite(
        contract="ECHO",
        commands=("{runners}/uws-fragment.sh {port}",),
        needs=(NODE + "deno", "src/uNetworking+uWebSockets"),
        read=lambda texts, port, conf: reading.read_fragmentation(texts[0]),
        bar=None,
        seconds=60,
    ),
    "gunicorn corpus": corpus("gunicorn", 300),
    "gunicorn bytewise": corpus("gunicorn", 600, "--send bytes"),
    "llhttp corpus": corpus("llhttp", 300),
    "llhttp in pieces": corpus("llhttp", 600, "--send random"),
    "send": Suite(
        contract="STATIC",
        commands=("{runners}/static-node.sh {port} send",),
        needs=(NODE + "mocha", "src/pillarjs+send"),
        read=lambda texts, port, conf: reading.read_static(texts[0]),
        bar=60,
        seconds=150,
        root=SEND,
        excused={"send(file, options) root when given should join root": PARENT},
    ),
    "serve-static": Suite(
        contract="STATIC",
        commands=("{runners}/static-node.sh {port} serve-static",),
        needs=(NODE + "mocha", "src/expressjs+serve-static"),
        read=lambda texts, port, conf: reading.read_static(texts[0]),
        bar=34,
        seconds=150,
        root=SERVE_STATIC,
        excused={
            "serveStatic() basic operations should support ../": PARENT,
            "serveStatic() when non-existent root path should not allow traversal": PARENT,
        },
    ),
    "h2o fuzz corpus": Suite(
        contract="ECHO",
        commands=(FUZZ + "h2o",) * 2,
        needs=("venvs/srv", "src/h2o+h2o/fuzz/http1-corpus"),
        read=lambda texts, port, conf: reading.read_fuzz(texts),
        bar=None,
        seconds=300,
    ),
    "radamsa requests": Suite(
        contract="ECHO",
        commands=(FUZZ + "radamsa --n 2000 --seed 1",) * 2,
        needs=("venvs/srv", "src/benoitc+gunicorn", "src/nodejs+llhttp"),
        read=lambda texts, port, conf: reading.read_fuzz(texts),
        bar=None,
        seconds=300,
    ),
    "slow clients": Suite(
        contract="IMPATIENT",
        commands=(
            SLOW + "-H -i 2 -x 24 -t GET -u http://127.0.0.1:{port}/",
            SLOW + "-B -i 5 -x 24 -s 8192 -t POST -u http://127.0.0.1:{port}/",
            SLOW + "-X -k 3 -n 5 -w 512 -y 1024 -z 32 -t GET -u http://127.0.0.1:{port}/",
        ),
        needs=("slowhttptest",),
        read=lambda texts, port, conf: reading.read_slow(texts, [True, True, False]),
        bar=None,
        seconds=90,
    ),
    "slow clients, static": Suite(
        contract="STATIC",
        commands=(
            SLOW + "-X -k 3 -n 5 -w 512 -y 1024 -z 32 -t GET -u http://127.0.0.1:{port}/large.bin",
            SLOW + "-R -a 5 -b 2000 -t HEAD -u http://127.0.0.1:{port}/large.bin",
        ),
        needs=("slowhttptest",),
        read=lambda texts, port, conf: reading.read_slow(texts, [False, False]),
        bar=None,
        seconds=90,
        root="large",
    ),
    "ws handshake": Suite(
        contract="WS",
        commands=("{runners}/ws-handshake.sh {port}",),
        needs=(NODE + "mocha", "src/websockets+ws"),
        read=lambda texts, port, conf: reading.read_mocha(
            texts[0],
            # These two look inside the server object of their own process.
            never=(
                "fails if the Upgrade header field value cannot be read",
                "handles unsupported extensions",
            ),
        ),
        bar=8,
        seconds=90,
    ),
    "radamsa frames": Suite(
        contract="WS",
        commands=(FUZZ + "ws --n 2000 --seed 1",) * 2,
        needs=("venvs/srv",),
        read=lambda texts, port, conf: reading.read_fuzz(texts),
        bar=None,
        seconds=300,
    ),
    "waitress": of_a_server("waitress", "Pylons+waitress", (), 91, explained.WAITRESS),
    "daphne": of_a_server("daphne", "django+daphne", ("hypothesis",), 26, explained.DAPHNE),
    "uvicorn": of_a_server(
        "uvicorn", "encode+uvicorn", ("websockets", "httpx", "click", "h11"), 40, explained.UVICORN
    ),
    "django": of_a_server("django", "django+django", ("django",), 20, explained.DJANGO),
    "granian": of_a_server(
        "granian", "emmett-framework+granian", ("httpx", "websockets"), 25, explained.GRANIAN
    ),
    "autobahn core": autobahn("core", "limits", bar=301, seconds=600),
    "autobahn deflate": autobahn("pmd12", "pmd13", bar=216, seconds=2000),
}


def is_there(need: str, conf: Path) -> bool:
    kind, _, module = need.partition("python:")
    if module and not kind:
        return importlib.util.find_spec(module) is not None
    return (conf / need).exists() or shutil.which(need) is not None


def missing(suite: Suite, conf: Path, runners: Path) -> list[str]:
    """What the suite needs and this machine has not."""
    absent = [need for need in suite.needs if not is_there(need, conf)]
    for command in suite.commands:
        absent += [
            name
            for name in re.findall(r"\{runners\}/(\S+)", command)
            if not (runners / name).exists()
        ]
    return sorted(set(absent))


def run_suite(name: str, suite: Suite, conf: Path, runners: Path, at: Mapping[str, int]) -> Outcome:
    slug = re.sub(r"\W+", "-", name)
    env = {**os.environ, "CONF": str(conf), **suite.env}
    texts = []
    with contextlib.ExitStack() as stack:
        port = at.get(suite.contract, 0 if suite.contract == "OWN" else None)
        if port is None:
            log = LOGS / f"{slug}-server.log"
            port = stack.enter_context(serving(suite.contract, suite.root, conf, log))
        if suite.contract != "OWN":
            probe(suite.contract, port)
        for number, command in enumerate(suite.commands):
            filled = command.format(
                port=port, conf=conf, runners=runners, python=sys.executable, here=HERE
            )
            log = LOGS / f"{slug}-{number}.log"
            texts.append(run_command(filled, env, log, suite.seconds))
        return suite.read(texts, port, conf)


@dataclass
class Row:
    """A line of the table: `verdict` is "ok", "not there", "not offered" or what went wrong."""

    suite: str
    verdict: str
    passed: str = ""
    excused: str = ""
    of: str = ""
    bar: str = ""
    note: str = ""


def judge(name: str, suite: Suite, outcome: Outcome) -> Row:
    bar = outcome.of if suite.bar is None else suite.bar
    verdict = "ok"
    excused = 0
    for miss in outcome.misses:
        why = suite.excused.get(miss) or suite.explained.get(miss)
        print(f"    miss: {miss}: {why or 'NOT EXPLAINED'}")
        excused += miss in suite.excused
        if why is None:
            verdict = "UNEXPLAINED"
    if outcome.passed + excused < bar:
        verdict = "BELOW"
    gone = (suite.excused.keys() | suite.explained.keys()) - set(outcome.misses)
    for case in sorted(gone):
        print(f"    no miss any more: {case}")
    passed, of = str(outcome.passed), str(outcome.of)
    return Row(name, verdict, passed, str(excused), of, str(bar), outcome.note)


def print_table(rows: list[Row]) -> None:
    print(f"\n{'suite':22} {'passed':>6} {'excused':>7} {'of':>6} {'bar':>6}  verdict")
    for row in rows:
        note = f"  ({row.note})" if row.note else ""
        counts = f"{row.passed:>6} {row.excused:>7} {row.of:>6} {row.bar:>6}"
        print(f"{row.suite:22} {counts}  {row.verdict}{note}")


def folder_from(variable: str) -> Path:
    value = os.environ.get(variable, "")
    if not value or not Path(value).is_dir():
        print(f"{variable} must name a folder (now: {value!r}). {__doc__}", file=sys.stderr)
        sys.exit(2)
    return Path(value).resolve()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="the first letters will do")
    parser.add_argument("--list", action="store_true", help="name the suites, run none")
    parser.add_argument(
        "--at",
        action="append",
        default=[],
        metavar="CONTRACT=PORT",
        help="use this server, already running on 127.0.0.1, instead of ours",
    )
    arguments = parser.parse_args()
    wanted = [
        name for name in SUITES if not arguments.suites or name.startswith(tuple(arguments.suites))
    ]
    if arguments.list:
        print("\n".join(f"{name:22} {SUITES[name].contract}" for name in wanted))
        return 0
    at = {
        contract: int(port) for contract, _, port in (pair.partition("=") for pair in arguments.at)
    }
    conf, runners = folder_from("CONF"), folder_from("CONFORMANCE")
    LOGS.mkdir(parents=True, exist_ok=True)

    rows = []
    for name in wanted:
        suite = SUITES[name]
        absent = missing(suite, conf, runners)
        if absent:
            rows.append(Row(name, "not there", note="needs " + ", ".join(absent)))
            continue
        print(f"{name} ...", flush=True)
        start = time.monotonic()
        try:
            row = judge(name, suite, run_suite(name, suite, conf, runners, at))
        except NotOffered as error:
            row = Row(name, "not offered", note=str(error))
        except (
            BrokenContract,
            Unfinished,
            reading.Unreadable,
            OSError,
            json.JSONDecodeError,
        ) as error:
            row = Row(name, "BROKEN", note=str(error))
        print(f"    {row.verdict}, {time.monotonic() - start:.0f} s", flush=True)
        rows.append(row)
    print_table(rows)
    good = {"ok", "not there", "not offered"}
    return 0 if all(row.verdict in good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
