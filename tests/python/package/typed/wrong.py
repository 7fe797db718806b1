"""Mistakes that type checkers must find: one on each line that says so."""

import httpuv


def call(req: httpuv.Request) -> httpuv.Response:
    return {"status": 200}


def one() -> httpuv.Response:
    return {"statuss": 200}  # wrong


def two() -> httpuv.Response:
    return {"status": "200"}  # wrong


def three() -> httpuv.Response:
    return {"body": "no status"}  # wrong


def four() -> httpuv.Response:
    return {"status": 200, "body": 5}  # wrong


def five() -> httpuv.Response:
    return {"status": 200, "headers": {"A": 1.5}}  # wrong


def six(req: httpuv.Request) -> str:
    return req["PATHINFO"]  # wrong


def opened(ws: httpuv.WebSocket) -> None:
    ws.send(5)  # wrong
    ws.onMessage(5)  # wrong
    ws.subscribe(5)  # wrong
    ws.close("1000")  # wrong
    ws.onmessage(lambda binary, message: None)  # wrong


app: httpuv.App = {"call": 5}  # wrong
other: httpuv.App = {"onMessage": call}  # wrong
httpuv.startServer("127.0.0.1", "8080", call)  # wrong
httpuv.startServer(8080, "127.0.0.1", call)  # wrong
httpuv.startServer("127.0.0.1", 8080, 5)  # wrong
httpuv.startServer("127.0.0.1", 8080, None)  # wrong
httpuv.startServer("127.0.0.1", 8080, call, mimetypes={})  # wrong
httpuv.startServer("127.0.0.1", 8080, call, gzip="yes")  # wrong
httpuv.startServer("127.0.0.1", 8080, call, wsOverflow="ignore")  # wrong
httpuv.startServer("127.0.0.1", 8080, call, dispatch="threads")  # wrong
httpuv.startServer("127.0.0.1", 8080, call, coroutines="loop")  # wrong
httpuv.startServer("127.0.0.1", 8080, call, limits={"max_body_bytes": 1})  # wrong
httpuv.startServer("127.0.0.1", 8080, call, limits=httpuv.Limits(max_body=1))  # wrong
httpuv.runServer("127.0.0.1", 8080, call, dispatch="thread")  # wrong
httpuv.startPipeServer("/tmp/s", "0o077", call)  # wrong
httpuv.staticPath(".", indexHtml=True)  # wrong
httpuv.Mount(call, interface="rack")  # wrong
httpuv.encodeURI(5)  # wrong
httpuv.encodeURI("a").append("b")  # wrong
server = httpuv.startServer("127.0.0.1", 0, call)
server.app = 5  # wrong
server.stop("now")  # wrong
server.publish(5, "text")  # wrong
server.setStaticPath({"/": 5})  # wrong
