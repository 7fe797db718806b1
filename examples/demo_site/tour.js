const $ = (id) => document.getElementById(id);

async function digest(data) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function upload(data) {
  $("echo").textContent = "sending…";
  const start = performance.now();
  const response = await fetch("/echo", { method: "POST", body: data });
  const back = await response.arrayBuffer();
  const seconds = (performance.now() - start) / 1000;
  const same = (await digest(data)) === (await digest(back));
  const megabytes = (data.byteLength / 1e6).toFixed(1);
  $("echo").textContent = same
    ? `${megabytes} MB went and came back intact in ${seconds.toFixed(2)} s.`
    : "What came back is not what went.";
}

$("upload").onclick = async () => {
  const file = $("file").files[0];
  if (file) await upload(await file.arrayBuffer());
  else $("echo").textContent = "Choose a file first.";
};

$("random").onclick = async () => {
  const data = new Uint8Array(20_000_000);
  for (let at = 0; at < data.length; at += 65536) {
    crypto.getRandomValues(data.subarray(at, at + 65536));
  }
  await upload(data.buffer);
};

$("block").onclick = async () => {
  let asleep = true;
  let count = 0;
  let slowest = 0;
  fetch("/block").finally(() => { asleep = false; });
  while (asleep) {
    const start = performance.now();
    await (await fetch("/ping.txt", { cache: "no-store" })).text();
    slowest = Math.max(slowest, performance.now() - start);
    count += 1;
    $("busy").textContent =
      `${count} files while Python sleeps, the slowest in ${slowest.toFixed(1)} ms`;
  }
  $("busy").textContent += ". Python is back.";
};
