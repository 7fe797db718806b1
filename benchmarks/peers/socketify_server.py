"""socketify: uWebSockets from Python."""

from __future__ import annotations

from typing import Any

import common
from socketify import App, AppListenOptions, CompressOptions, OpCode


def hello(response: Any, request: Any) -> None:
    response.write_header("Content-Type", "text/plain")
    response.end("Hello world!")


def echo(ws: Any, message: str | bytes, opcode: OpCode) -> None:
    ws.send(message, opcode)


def subscribe(ws: Any) -> None:
    ws.subscribe("all")


def main() -> None:
    app = App()

    def publish(ws: Any, message: str | bytes, opcode: OpCode) -> None:
        app.publish("all", message, opcode)

    options = {
        "compression": CompressOptions.DISABLED,
        "max_payload_length": 16 * 1024 * 1024,
        "idle_timeout": 120,
    }
    app.get("/", hello)
    app.ws("/ws", {**options, "message": echo})
    app.ws("/broadcast", {**options, "open": subscribe, "message": publish})
    app.listen(
        AppListenOptions(port=common.arguments().port, host="127.0.0.1"), lambda config: None
    )
    app.run()


if __name__ == "__main__":
    main()
