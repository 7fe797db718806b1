-- wrk: what to send, and the result of a run as one line of JSON.
--
-- DEPTH=n  sends n requests at once, pipelined (RFC 9112, section 9.3.2)
-- PATHS=n  asks for the n files below the path in turn: 00000.bin, 00001.bin ...
-- BODY=file posts the JSON of a file.
--
-- With none of them, no `request` is defined and wrk sends its own constant one, which costs it nothing.
local depth = tonumber(os.getenv("DEPTH") or "1")
local paths = tonumber(os.getenv("PATHS") or "0")

local body = os.getenv("BODY")

if body then
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.body = assert(io.open(body, "rb")):read("*a")
end

if depth > 1 or paths > 0 then
  local batches = {}
  local next_batch = 0
  local count = math.max(paths, 1)

  function init(args)
    for i = 0, count - 1 do
      local path = paths > 0 and string.format("%s%05d.bin", wrk.path, i) or wrk.path
      batches[i] = string.rep(wrk.format("GET", path), depth)
    end
  end

  function request()
    local batch = batches[next_batch]
    next_batch = (next_batch + 1) % count
    return batch
  end
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\nresult {"requests": %d, "bytes": %d, "seconds": %.6f, "failed": %d, "status": %d, ' ..
      '"p50_us": %.0f, "p90_us": %.0f, "p99_us": %.0f, "max_us": %.0f}\n',
    summary.requests, summary.bytes, summary.duration / 1e6,
    e.connect + e.read + e.write + e.timeout, e.status,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
