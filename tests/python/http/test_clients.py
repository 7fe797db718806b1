"""The clients that people have: curl, http.client, urllib, httpx."""

import hashlib
import http.client
import shutil
import subprocess
import urllib.request
from pathlib import Path

import httpuv
import pytest
from conftest import Serve
from support import address, other_programs


def echo(req: dict) -> dict:
    return {
        "status": 200,
        "headers": {"Content-Type": "application/octet-stream", "X-Method": req["REQUEST_METHOD"]},
        "body": req["rook.input"].read(),
    }


@pytest.fixture
def server(serve: Serve, tmp_path: Path) -> httpuv.WebServer:
    (tmp_path / "file.txt").write_text("text")
    (tmp_path / "large.bin").write_bytes(bytes(range(256)) * 20_000)
    return serve({"call": echo, "staticPaths": {"/files": tmp_path}})


def url(server: httpuv.WebServer, path: str = "/") -> str:
    host, port = address(server)
    return f"http://{host}:{port}{path}"


@pytest.fixture
def curl():
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")

    def run(*arguments: str, data: bytes | None = None) -> bytes:
        command = ["curl", "-sS", "--fail", "--max-time", "20", *arguments]
        return subprocess.run(
            command, input=data, capture_output=True, check=True, env=other_programs()
        ).stdout

    return run


def test_curl(server: httpuv.WebServer, curl) -> None:
    assert curl(url(server, "/files/file.txt")) == b"text"
    assert curl("-d", "a=b", url(server)) == b"a=b"
    assert b"X-Method: PUT" in curl("-i", "-X", "PUT", "-d", "x", url(server))
    assert b"X-Method: HEAD" in curl("-I", url(server))
    assert curl("-r", "1-2", url(server, "/files/file.txt")) == b"ex"
    assert curl("--http1.0", url(server, "/files/file.txt")) == b"text"


def test_curl_upload(server: httpuv.WebServer, curl) -> None:
    data = bytes(range(256)) * 8000
    # curl says Expect: 100-continue by itself for that much.
    assert curl("-T", "-", "-H", "Expect: 100-continue", url(server), data=data) == data
    assert curl("--data-binary", "@-", url(server), data=data) == data
    sent = ("-H", "Transfer-Encoding: chunked", "--data-binary", "@-")
    assert curl(*sent, url(server), data=data) == data


def test_curl_keeps_its_connection(server: httpuv.WebServer, curl) -> None:
    written = curl(
        *("-w", "%{num_connects}\n", "-o", "/dev/null", "-o", "/dev/null"),
        *(url(server, "/files/file.txt"), url(server)),
    )
    assert written == b"1\n0\n"


def test_curl_over_a_pipe(running: object, tmp_path: Path, curl) -> None:
    name = str(tmp_path / "socket")
    with httpuv.startPipeServer(name, None, echo):
        assert curl("--unix-socket", name, "-d", "x", "http://localhost/") == b"x"


def test_http_client(server: httpuv.WebServer) -> None:
    connection = http.client.HTTPConnection(*address(server), timeout=20)
    for _ in range(3):
        connection.request("POST", "/", b"abc", {"X": "y"})
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"abc")
    connection.request("POST", "/", iter([b"ab", b"c"]), encode_chunked=True)
    assert connection.getresponse().read() == b"abc"
    connection.request("HEAD", "/files/file.txt")
    response = connection.getresponse()
    assert (response.getheader("Content-Length"), response.read()) == ("4", b"")
    connection.request("GET", "/files/large.bin")
    digest = hashlib.sha256(connection.getresponse().read()).digest()
    assert digest == hashlib.sha256(bytes(range(256)) * 20_000).digest()
    connection.close()


def test_urllib(server: httpuv.WebServer) -> None:
    with urllib.request.urlopen(url(server, "/files/file.txt"), timeout=20) as response:
        assert response.read() == b"text"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url(server, "/files/none"), timeout=20)
    assert caught.value.code == 404
    caught.value.close()


def test_httpx(server: httpuv.WebServer) -> None:
    httpx = pytest.importorskip("httpx")
    with httpx.Client(base_url=url(server), timeout=20) as client:
        assert client.get("/files/file.txt").text == "text"
        assert client.post("/", content=b"abc").content == b"abc"
        assert client.post("/", content=iter([b"a", b"bc"])).content == b"abc"
        assert client.post("/", files={"file": b"x" * 100_000}).content.count(b"x" * 100_000) == 1
        assert client.get("/files/none").status_code == 404
        response = client.get("/files/file.txt", headers={"Range": "bytes=0-1"})
        assert (response.status_code, response.content) == (206, b"te")


def test_httpx_async(server: httpuv.WebServer) -> None:
    httpx = pytest.importorskip("httpx")
    import asyncio

    async def many() -> list[bytes]:
        async with httpx.AsyncClient(base_url=url(server), timeout=20) as client:
            answers = await asyncio.gather(
                *(client.post("/", content=b"%d" % i) for i in range(50))
            )
            return [answer.content for answer in answers]

    assert asyncio.run(many()) == [b"%d" % i for i in range(50)]
