-- Sends the lines of a file that `anxiao bench passes` wrote, each person once.
--
--   wrk -t1 -c64 -d8 -s bench/reports.lua http://127.0.0.1:8000 -- FILE [START] [MODE]
--
-- START is the byte at which to begin, so that runs may follow each other; the position reached is printed.  MODE:
-- "once" stops when the file is used up, "again" begins anew (for requests that change nothing).  With several threads
-- each takes its own lines in turn.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
  for _, other in ipairs(threads) do other:set("shares", #threads) end
end

local file, head, again

function init(args)
  file = assert(io.open(args[1], "rb"))
  file:setvbuf("full", 262144)
  start = tonumber(args[2] or "0")
  again = args[3] == "again"
  head = "POST /intake/v1/reports HTTP/1.1\r\nHost: " .. wrk.host .. "\r\nContent-Type: application/json\r\n"
    .. "X-Anxiao: 1\r\nCookie: anxiao_pass="
  file:seek("set", start)
  position, ended, first = start, false, true
end

local function line()
  local text = file:read("*l")
  if text == nil and again then
    file:seek("set", 0)
    position = 0
    text = file:read("*l")
  end
  if text then position = position + #text + 1 end
  return text
end

local idle = "GET /intake/v1/key HTTP/1.1\r\nHost: localhost\r\n\r\n"

function request()
  -- wrk asks once before it begins, only to look at the request
  local skipped = first and (number or 0) or (shares or 1) - 1
  first = false
  for _ = 1, skipped do line() end
  local text = line()
  if text == nil then
    ended = true
    wrk.thread:stop()
    return idle
  end
  local a, b, pass, body = text:find("^[^\t]*\t([^\t]*)\t(.*)$")
  return head .. pass .. "\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency)
  local reached, out = 0, false
  for _, thread in ipairs(threads) do
    reached = math.max(reached, thread:get("position"))
    out = out or thread:get("ended")
  end
  io.write(string.format(
    '\nJSON {"requests": %d, "seconds": %.6f, "errors": {"connect": %d, "read": %d, "write": %d, "status": %d, '
      .. '"timeout": %d}, "p50": %.1f, "p95": %.1f, "p99": %.1f, "max": %.1f, "position": %d, "used_up": %s}\n',
    summary.requests, summary.duration / 1e6, summary.errors.connect, summary.errors.read, summary.errors.write,
    summary.errors.status, summary.errors.timeout, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3, reached, tostring(out)))
end
