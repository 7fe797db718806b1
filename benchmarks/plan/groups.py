"""Groups of scenarios that are run by one name."""

from __future__ import annotations

from plan.scenarios import BUSY, COMPARED, SCENARIOS

#: Names that stand for several scenarios, which have targets. None takes more than three minutes.
TARGET_GROUPS = {
    "http": ["hello", "hello-8", "hello-1"],
    "ws": ["ws-echo-50", "ws-echo-1", "ws-echo-64k"],
    "apps": ["wsgi", "asgi", "fastapi", "fastapi-json"],
    "asgi-more": ["asgi-stream", "asgi-ws-echo-50", "asgi-ws-echo-1", "asgi-ws-idle"],
    "blocked": ["block", "block-hold"],
    "two-cores": ["io-threads", "io-threads-pipelined", "cores", "cores-files"],
    "tls": ["https", "https-new", "https-10m"],
    "watched": ["log", "wake-ups"],
    "compared-live": [f"against-live-{how}" for how in BUSY],
    **{f"compared-{key}": [f"against-{name}" for name in COMPARED[key]] for key in COMPARED},
}

GROUPS = {
    **TARGET_GROUPS,
    "targets": [name for names in TARGET_GROUPS.values() for name in names],
    "all": list(SCENARIOS),
    "static": [name for name, scenario in SCENARIOS.items() if scenario.feature == "files"],
    "dynamic": ["pipelined", "stream", "dispatch"],
    "broadcast": ["ws-broadcast", "ws-broadcast-64"],
    "memory": ["idle", "ws-idle"],
}
