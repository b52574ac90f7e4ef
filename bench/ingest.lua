-- What wrk posts: batches of alerts, each new to the server, or the same ones again and again.
-- Six labels, two annotations, about 450 bytes of JSON an alert.
local batch = tonumber(os.getenv("BATCH") or "64")
local again = os.getenv("MODE") == "resent"
local prepared = 100
local threads = 0
local form = '{"labels":{"alertname":"Bench%d","instance":"10.0.%d.%d:9100","job":"application","severity":"page",'
  .. '"bongsu_service":"shop","series":"%s"},"annotations":{"summary":"CPU of the machine is over its baseline",'
  .. '"description":"It has used more than twenty percent of its processor for several minutes now."},'
  .. '"startsAt":"%s","endsAt":"%s","generatorURL":"http://prometheus:9090/graph?g0.expr=system_cpu_usage&g0.tab=1"}'
local starts = os.date("!%Y-%m-%dT%H:%M:%S.000Z")
local ends = os.date("!%Y-%m-%dT%H:%M:%S.000Z", os.time() + 3600)

function setup(thread)
  thread:set("thread_number", threads)
  threads = threads + 1
end

local function body(number)
  local alerts = {}
  for i = 1, batch do
    local series = string.format("%s-%d-%d-%d", again and "again" or starts, thread_number, number, i)
    alerts[i] = string.format(form, i % 50, number % 250, i % 250, series, starts, ends)
  end
  return "[" .. table.concat(alerts, ",") .. "]"
end

local bodies = {}
local count = 0

function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  if again then
    for number = 1, prepared do
      bodies[number] = wrk.format(nil, "/api/v2/alerts", nil, body(number))
    end
  end
end

function request()
  count = count + 1
  if again then
    return bodies[(count - 1) % prepared + 1]
  end
  return wrk.format(nil, "/api/v2/alerts", nil, body(count))
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration, failed, latency:percentile(99)))
end
