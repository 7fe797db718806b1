"""The smallest application: one function."""

import httpuv


def hello(req: httpuv.Request) -> httpuv.Response:
    """Answer every request with the same text."""
    return {"status": 200, "headers": {"Content-Type": "text/plain"}, "body": "Hello world!\n"}


if __name__ == "__main__":
    try:
        print("http://127.0.0.1:8080/  (Ctrl-C ends it)", flush=True)
        httpuv.runServer("127.0.0.1", 8080, hello)
    except KeyboardInterrupt:
        pass
