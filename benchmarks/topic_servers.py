"""The servers of topics.py, as programs of their own. Each prints its port."""

from __future__ import annotations

HTTPUV = """
import sys, threading, time
import httpuv
SIZE, = map(int, sys.argv[1:])
text = "x" * SIZE
stream = httpuv.EventStream(topics=["t"])
def call(req):
    if req["PATH_INFO"] == "/events":
        return stream
    count = int(req["QUERY_STRING"])
    for _ in range(count):
        server.publish("t", text)
    return {"status": 200, "body": server.topic_stats("t").epoch}
limits = httpuv.Limits(max_connections=20000)
server = httpuv.startServer("127.0.0.1", 0, call, limits=limits,
                            topics={"t": httpuv.Topic(history=200, max_bytes=1 << 30)})
print(server.getPort(), flush=True)
httpuv.service(0)
"""

STARLETTE = """
import asyncio, collections, sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
SIZE, = map(int, sys.argv[1:])
text = "x" * SIZE
clients, kept, number = set(), collections.deque(maxlen=200), 0
async def events(request):
    queue = asyncio.Queue()
    clients.add(queue)
    since = int(request.headers.get("last-event-id", "0.0").rpartition(".")[2])
    async def body():
        try:
            if since:
                yield "".join(piece for offset, piece in kept if offset > since)
            else:
                yield "id: e.0\\n\\n"
            while True:
                yield await queue.get()
        finally:
            clients.discard(queue)
    return StreamingResponse(body(), media_type="text/event-stream")
async def publish(request):
    global number
    for _ in range(int(request.url.query)):
        number += 1
        piece = f"id: e.{number}\\ndata: {text}\\n\\n"
        kept.append((number, piece))
        for queue in clients:
            queue.put_nowait(piece)
        await asyncio.sleep(0)
    return PlainTextResponse("e")
app = Starlette(routes=[Route("/events", events), Route("/publish", publish)])
sock = __import__("socket").socket()
sock.bind(("127.0.0.1", 0))
sock.listen(4096)
print(sock.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error", loop="auto", http="auto")).run([sock])
"""


TOPICS = """
import base64, ctypes, socket, sys, threading, time
import httpuv

COUNT = 100_000
sockets = []

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd",
        "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Info

def used():  # bytes that are allocated, with what malloc itself takes; not Python's small objects
    server.topic_stats("none")  # answered behind all that was posted
    info = mallinfo2()
    return info.uordblks + info.hblkhd

rules = {"topic*": httpuv.Topic(history=0)}
with httpuv.startServer("127.0.0.1", 0, {"onWSOpen": sockets.append}, topics=rules) as server:
    client = socket.create_connection(("127.0.0.1", server.getPort()))
    fields = ["GET / HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade"]
    fields += ["Sec-WebSocket-Version: 13"]
    fields += ["Sec-WebSocket-Key: " + base64.b64encode(b"x" * 16).decode(), "", ""]
    client.sendall("\\r\\n".join(fields).encode())
    while not sockets:
        httpuv.service(0.1)
    def read():
        while client.recv(1 << 20):
            pass
    reader = threading.Thread(target=read)
    reader.start()
    names = [f"topic{n}" for n in range(COUNT)]

    def each(call):  # the bytes that it takes
        began = used()
        for n, name in enumerate(names):
            call(name)
            if n % 1000 == 0:
                server.topic_stats("none")  # what waits for the loop is not what a topic takes
        return (used() - began) / COUNT

    if sys.argv[1] == "memory":
        print(f"an idle topic: {each(lambda name: server.publish(name, '')):.0f} bytes", flush=True)
        print(f"a subscription: {each(sockets[0].subscribe):.0f} bytes", flush=True)
    else:
        each(sockets[0].subscribe)
        rates = []
        for targets in (["topic1"] * COUNT, names):
            found = []
            for _ in range(5):
                start = time.perf_counter()
                for name in targets:
                    server.publish(name, "x" * 100)
                server.topic_stats("none")
                found.append(COUNT / (time.perf_counter() - start))
            rates.append(sorted(found)[2])
        print(f"publish to one topic {rates[0]:,.0f}/s, to 100,000 {rates[1]:,.0f}/s:", end=" ")
        print(f"{rates[1] / rates[0]:.2f} x", flush=True)
    client.shutdown(socket.SHUT_RDWR)
    reader.join()
    client.close()
"""

# --- through Redis: a server is one of several processes; they print their port ------------------

REDIS_HTTPUV = """
import sys, time
import httpuv
from httpuv import brokers
SIZE, url = int(sys.argv[1]), sys.argv[2]
text = "x" * SIZE
def on_open(ws):
    ws.subscribe("t")
def call(req):
    if req["PATH_INFO"] == "/stamp":
        server.publish("t", f"<{time.monotonic_ns()}>" + text)
    else:
        for _ in range(int(req["QUERY_STRING"])):
            server.publish("t", text)
    return {"status": 200, "body": "e"}
server = httpuv.startServer("127.0.0.1", 0, {"call": call, "onWSOpen": on_open},
                            topics={"t": httpuv.Topic(history=200)}, broker=brokers.Redis(url))
while not server.broker_health().ok:
    time.sleep(0.01)
print(server.getPort(), flush=True)
httpuv.service(0)
"""

_UVICORN = """
sock = __import__("socket").socket()
sock.bind(("127.0.0.1", 0))
sock.listen(4096)
print(sock.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error", loop="auto", http="auto")).run([sock])
"""

_ANSWER = """
async def answer(send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"e"})
"""

REDIS_SOCKETIO = f"""
import sys, time
import socketio, uvicorn
SIZE, url = int(sys.argv[1]), sys.argv[2]
text = "x" * SIZE
sio = socketio.AsyncServer(async_mode="asgi", client_manager=socketio.AsyncRedisManager(url))
sockets = socketio.ASGIApp(sio)
{_ANSWER}
async def app(scope, receive, send):
    if scope["type"] != "http" or scope["path"] not in ("/stamp", "/publish"):
        return await sockets(scope, receive, send)
    if scope["path"] == "/stamp":
        await sio.emit("m", f"<{{time.monotonic_ns()}}>" + text)
    else:
        for _ in range(int(scope["query_string"])):
            await sio.emit("m", text)
    await answer(send)
{_UVICORN}"""

# What a consumer of Channels does, without Django in between.
REDIS_CHANNELS = f"""
import asyncio, sys, time
import uvicorn
from channels_redis.pubsub import RedisPubSubChannelLayer
SIZE, url = int(sys.argv[1]), sys.argv[2]
text = "x" * SIZE
layer = RedisPubSubChannelLayer(hosts=[url], capacity=100_000)
{_ANSWER}
async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({{"type": "websocket.accept"}})
        channel = await layer.new_channel()
        await layer.group_add("t", channel)
        try:
            while True:
                message = await layer.receive(channel)
                await send({{"type": "websocket.send", "text": message["text"]}})
        finally:
            await layer.group_discard("t", channel)
    elif scope["type"] == "http":
        if scope["path"] == "/stamp":
            stamped = f"<{{time.monotonic_ns()}}>" + text
            await layer.group_send("t", {{"type": "m", "text": stamped}})
        else:
            for _ in range(int(scope["query_string"])):
                await layer.group_send("t", {{"type": "m", "text": text}})
        await answer(send)
{_UVICORN}"""
