// The page of the demonstration. Nothing is loaded from elsewhere.
const $ = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// --- the source beside each effect: marked parts of the program itself ---

const source = await (await fetch("/source/demo.py")).text();
const escaped = (text) => text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
const coloured = (text) =>
  escaped(text).replace(
    /(#.*$|"""[^]*?""")|("(?:[^"\\\n]|\\.)*")|\b(async|await|def|for|in|if|return|while|import|from|as|class|with|not|True|False|None)\b/gm,
    (all, comment, string) => (comment ? `<i>${all}</i>` : string ? `<u>${all}</u>` : `<b>${all}</b>`),
  );
for (const pre of document.querySelectorAll("pre[data-part]")) {
  const part = new RegExp(`^( *)# part: ${pre.dataset.part}\\n([^]*?)^ *# end$`, "m").exec(source);
  const lines = part[2].trimEnd().split("\n");
  pre.innerHTML = coloured(lines.map((line) => line.slice(part[1].length)).join("\n"));
}

// --- latency ---

const WINDOW = 20_000;
const samples = { network: [], python: [] };
const waiting = { network: null, python: null };
const latest = { file: 0, ping: 0, health: 0 };

async function timed(path) {
  const begin = performance.now();
  const answer = await fetch(path, { cache: "no-store" });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return [performance.now() - begin, text];
}

// What C++ answers: a file, the health check, and pings, which another process measures.
async function network() {
  const [[file], [health], [, ping]] = await Promise.all([timed("/ping.txt"), timed("/livez"), timed("/measured/ping.txt")]);
  Object.assign(latest, { file, health, ping: parseFloat(ping) });
  for (const name in latest) $(name).textContent = shown(latest[name]);
  return Math.max(...Object.values(latest));
}

// The time waited so far, ten times a second: a curve instead of one jump.
function climb(begin, end) {
  const points = [];
  for (let at = begin + 20; at < end; at += 100) points.push([at, at - begin]);
  return [...points, [end, end - begin]];
}

async function measure(name, take) {
  for (;;) {
    const begin = performance.now();
    waiting[name] = begin;
    try {
      const took = await take();
      if (took > 150) samples[name].push(...climb(begin, begin + took));
      else samples[name].push([performance.now(), took]);
      while (samples[name].length > 600) samples[name].shift();
    } catch {
      await pause(1000); // the server was ended
    }
    waiting[name] = null;
    await pause(Math.max(20, 100 - (performance.now() - begin)));
  }
}

const shown = (ms) => (ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

function fitted(canvas) {
  const scale = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return [context, width, height];
}

function draw() {
  const now = performance.now();
  const [context, width, height] = fitted($("chart"));
  const [left, top, bottom] = [60, 14, height - 14];
  const place = (ms) => bottom - ((Math.log10(Math.min(Math.max(ms, 0.5), 6000)) - Math.log10(0.5)) / Math.log10(12000)) * (bottom - top);
  context.clearRect(0, 0, width, height);
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (const [ms, text] of [[1, "1 ms"], [10, "10 ms"], [100, "100 ms"], [1000, "1 s"], [5000, "5 s"]]) {
    context.fillStyle = colour("--soft");
    context.fillText(text, 8, place(ms));
    context.fillStyle = colour("--line");
    context.fillRect(left, Math.round(place(ms)), width - left, 1);
  }
  for (const [name, line] of [["python", "--warm"], ["network", "--accent"]]) {
    const points = samples[name].filter(([at]) => now - at < WINDOW);
    // An answer that is late: the line climbs while it is waited for, to what it took.
    if (waiting[name] !== null && now - waiting[name] > 150) points.push(...climb(waiting[name], now));
    context.strokeStyle = context.fillStyle = colour(line);
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.beginPath();
    for (const [at, ms] of points) context.lineTo(left + (1 - (now - at) / WINDOW) * (width - left), place(ms));
    context.stroke();
  }
  const late = waiting.python === null ? 0 : now - waiting.python;
  if (late > 150) $("python").textContent = shown(late);
  else if (samples.python.length > 0) $("python").textContent = shown(samples.python.at(-1)[1]);
  requestAnimationFrame(draw);
}

measure("network", network);
measure("python", async () => (await timed("/now"))[0]);
draw();

$("block").onclick = async () => {
  $("block").disabled = true;
  $("block").textContent = "Python is blocked";
  await fetch("/block").catch(() => {});
  $("block").disabled = false;
  $("block").textContent = "Block Python for 5 s";
};

// --- live sockets ---

const strokes = [];
let socket;

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/`);
  socket.onopen = () => ($("socket").textContent = "connected");
  socket.onclose = () => {
    $("socket").textContent = "closed; connecting again";
    setTimeout(connect, 1000);
  };
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.pages !== undefined) {
      $("clients").textContent = message.pages;
      $("plural").hidden = message.pages === 1;
    } else {
      strokes.push(message);
      if (strokes.length > 500) strokes.shift();
      paint();
    }
  };
}

function paint() {
  const [context, width, height] = fitted($("board"));
  context.clearRect(0, 0, width, height);
  if (strokes.length === 0) {
    context.fillStyle = colour("--soft");
    context.font = "15px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillText("Draw here", width / 2, height / 2);
  }
  context.lineWidth = 3;
  context.lineCap = "round";
  for (const { from, to, hue } of strokes) {
    context.strokeStyle = `hsl(${hue} 65% 50%)`;
    context.beginPath();
    context.moveTo(from[0] * width, from[1] * height);
    context.lineTo(to[0] * width, to[1] * height);
    context.stroke();
  }
}

const hue = Math.floor(Math.random() * 360);
let last = null;
const spot = (event) => [event.offsetX / $("board").clientWidth, event.offsetY / $("board").clientHeight];
$("board").onpointerdown = (event) => {
  $("board").setPointerCapture(event.pointerId);
  last = spot(event);
};
$("board").onpointermove = (event) => {
  if (last === null || socket.readyState !== WebSocket.OPEN) return;
  const next = spot(event);
  socket.send(JSON.stringify({ from: last, to: next, hue }));
  last = next;
};
$("board").onpointerup = $("board").onpointercancel = () => (last = null);
addEventListener("resize", paint);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
paint();
connect();

// --- events ---

const events = new EventSource("/events");
events.onopen = () => ($("events").textContent = "connected");
events.onerror = () => ($("events").textContent = "closed; connecting again");
events.onmessage = (event) => {
  const state = JSON.parse(event.data);
  $("clock").textContent = state.time;
  $("load").textContent = state.load;
  $("answered").textContent = state.answered;
};

// --- video ---

$("film").onseeked = () => {
  const film = $("film");
  $("range").textContent = `At ${film.currentTime.toFixed(1)} s of ${film.duration.toFixed(0)} s. Move the slider.`;
};

// --- upload ---

function upload(body, size) {
  const request = new XMLHttpRequest();
  const begin = performance.now();
  request.upload.onprogress = (event) => {
    $("progress").value = event.loaded / size;
    $("sent").textContent = `${(event.loaded / 1e6).toFixed(1)} of ${(size / 1e6).toFixed(1)} MB`;
  };
  request.onload = () => {
    const seconds = (performance.now() - begin) / 1000;
    $("progress").value = 1;
    $("sent").textContent = `${request.responseText.trim()} – ${(size / 1e6 / seconds).toFixed(0)} MB/s`;
  };
  request.onerror = () => ($("sent").textContent = "The connection ended.");
  request.open("POST", "/upload");
  request.send(body);
}
$("choose").onchange = () => {
  const file = $("choose").files[0];
  if (file) upload(file, file.size);
};
$("random").onclick = () => {
  const piece = crypto.getRandomValues(new Uint8Array(65536));
  upload(new Blob(Array(610).fill(piece)), 610 * 65536);
};

document.documentElement.dataset.ready = "yes";
