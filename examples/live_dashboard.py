"""A dashboard that loses nothing: stop this program, start it again, the page goes on.

    python examples/live_dashboard.py [PORT] [HOST]

One thread measures and publishes; C++ sends each measurement to every page that is open. A page
that was away for a moment - a tunnel, a sleeping laptop - gets what it missed.
"""

import json
import os
import sys
import threading
import time

import httpuv

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
HOST = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"

PAGE = """<!doctype html><meta charset="utf-8"><title>Load</title>
<h1>Load of this machine</h1><p id="state">connecting</p><ol id="values" reversed></ol>
<script>
const values = document.getElementById("values"), state = document.getElementById("state");
const events = new EventSource("/events");
events.onopen = () => { state.textContent = "live"; };
events.onerror = () => { state.textContent = "away: the browser tries again"; };
events.addEventListener("load", event => {
  const { time, load } = JSON.parse(event.data), line = document.createElement("li");
  line.textContent = `${new Date(1000 * time).toLocaleTimeString()}  ${load.toFixed(2)}`;
  values.prepend(line);
  while (values.children.length > 60) values.lastChild.remove();
});
events.addEventListener("reset", () => { values.replaceChildren(); });  // begin anew
</script>"""

# A new page gets the last minutes first; one that comes back gets what it missed.
loads = httpuv.EventStream(topics=["load"], history=True, retry=0.5)


def call(req: "dict[str, object]") -> object:
    if req["PATH_INFO"] == "/events":
        return loads
    if req["PATH_INFO"] == "/":
        return {"status": 200, "headers": {"Content-Type": "text/html"}, "body": PAGE}
    return {"status": 404}


def measure() -> None:
    while not ended.wait(0.5):
        value = {"time": time.time(), "load": os.getloadavg()[0]}
        server.publish("load", json.dumps(value), event="load")


ended = threading.Event()
topics = {"load": httpuv.Topic(history=60, ttl=120)}
try:
    with httpuv.startServer(HOST, PORT, call, topics=topics) as server:
        print(f"http://{HOST}:{server.getPort()}/  (Ctrl-C ends it)", flush=True)
        threading.Thread(target=measure, daemon=True).start()
        httpuv.service(0)
except KeyboardInterrupt:
    ended.set()
