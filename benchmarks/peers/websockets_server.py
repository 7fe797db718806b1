"""websockets on uvloop."""

from __future__ import annotations

import common
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

everyone: set[ServerConnection] = set()


async def handler(connection: ServerConnection) -> None:
    assert connection.request is not None
    if connection.request.path != "/broadcast":
        async for message in connection:
            await connection.send(message)
        return
    everyone.add(connection)
    try:
        async for message in connection:
            broadcast(everyone, message)
    finally:
        everyone.discard(connection)


async def main() -> None:
    port = common.arguments().port
    async with serve(
        handler, "127.0.0.1", port, compression=None, max_size=2**24, backlog=1024
    ) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
