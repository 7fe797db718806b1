"use strict";

const [state, lines, form, input] =
  ["state", "lines", "form", "input"].map((id) => document.getElementById(id));

let socket = null;
let name = null; // the first line; said again when the connection is back
const seen = new Set(); // what was shown: who comes back gets the last lines once more
let wait = 250; // milliseconds until the next attempt

function show(who, text, time) {
  const line = document.createElement("li");
  line.title = new Date(time * 1000).toLocaleString();
  if (who === null) {
    line.className = "notice";
    line.textContent = text;
  } else {
    const speaker = document.createElement("b");
    speaker.textContent = who;
    line.append(speaker, text);
  }
  const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
  lines.append(line);
  if (atEnd) line.scrollIntoView();
}

function connect() {
  const url = new URL("/", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new WebSocket(url);
  socket.onopen = () => {
    wait = 250;
    state.textContent = "connected";
    if (name !== null) socket.send(name);
  };
  socket.onmessage = ({ data }) => {
    const { id, event, name: who, text, time, present } = JSON.parse(data);
    if (seen.has(id)) return;
    seen.add(id);
    state.textContent = `${present.length} here: ${present.join(", ")}`;
    if (event === "line") show(who, text, time);
    else show(null, `${who} ${event}`, time);
  };
  socket.onclose = ({ code, reason }) => {
    state.textContent = `disconnected (${code}${reason && ": " + reason})`;
    setTimeout(connect, wait);
    wait = Math.min(2 * wait, 10000);
  };
}

form.onsubmit = (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text || socket.readyState !== WebSocket.OPEN) return;
  socket.send(text);
  if (name === null) {
    name = text;
    input.placeholder = "Say something";
  }
  input.value = "";
};

connect();
