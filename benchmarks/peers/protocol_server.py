"""The ceiling: a bare asyncio Protocol on uvloop and httptools that writes a constant.

It builds no request, runs no application and checks nothing but where a request ends.
"""

from __future__ import annotations

import asyncio

import common
import httptools
import uvloop

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "
    + str(len(common.HELLO)).encode()
    + b"\r\n\r\n"
    + common.HELLO
)


class Protocol(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.transport.write(ANSWER)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Protocol, "127.0.0.1", common.arguments().port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
