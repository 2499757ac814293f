-- What wrk does in a round of the bench, for generator-wrk.mjs, which tells it on standard input what
-- to ask, and reads on standard output what came of it: lines of a name and a value.
--
-- wrk reads this file twice: into the state of its one thread, where `init`, `request` and `response`
-- run, and into another, where `setup` and `done` do. `done` can ask the first for its globals.

local running

function setup(thread)
  running = thread
end

sent = 0 -- requests that wrk has asked for
unexpected = 0 -- answers, and the first of them
sample = nil
tokens = {} -- a ring, first in, first out, so that all sessions have their turn
first = 1
count = 0

local expects, before, start
local opening -- the head of an authorization request, if each request needs a code of its own
local cookies, codes, turn = {}, {}, 0
flows = nil -- codes that were answered with tokens

local function whole(body)
  if not body then return start .. '\r\n\r\n' end
  return start .. '\r\ncontent-length: ' .. #body .. '\r\n\r\n' .. body
end

local function fail(why)
  io.stderr:write(why, '\n')
  os.exit(1)
end

local function escaped(character)
  return string.format('%%%02X', character:byte())
end

-- A token that is taken is gone, whether its request is answered or not: it may be spent.
local function take()
  if count == 0 then fail('no refresh token is left') end
  local token = tokens[first]
  first = first % #tokens + 1
  count = count - 1
  return token
end

-- There is always a place: as many have been taken.
local function put(token)
  tokens[(first + count - 1) % #tokens + 1] = token:gsub('[^%w%-._~]', escaped)
  count = count + 1
end

-- A code that has come goes before new ones, on whichever connection is free.
local function nextOfFlow()
  local code = table.remove(codes)
  if code then return whole(before .. code) end
  turn = turn % #cookies + 1
  return opening .. '\r\ncookie: ' .. cookies[turn] .. '\r\n\r\n'
end

-- Both answers of a flow are known by their status.
local function isOfFlow(status, headers, body)
  local location = headers['Location'] or headers['location']
  local code = status == 303 and location and location:match('[?&]code=([^&]+)')
  if code then
    table.insert(codes, code)
  elseif status == expects and body:match('"id_token"') then
    flows = flows + 1
  else
    return false
  end
  return true
end

function init()
  local job = { head = {}, body = {}, token = {}, connections = {}, expects = {}, before = {} }
  job.opening, job.cookie = {}, {}
  for line in io.lines() do
    local name, value = line:match('^(%l+) (.*)$')
    table.insert(job[name], value)
  end
  expects = tonumber(job.expects[1])
  connections = tonumber(job.connections[1])
  before = job.before[1]
  start = table.concat(job.head, '\r\n')
  tokens = job.token
  cookies = job.cookie
  if #cookies > 0 then
    opening = table.concat(job.opening, '\r\n')
    flows = 0
  end
  count = #tokens
  local requests = { whole(job.body[1]) }
  for index, body in ipairs(job.body) do requests[index] = whole(body) end
  function request()
    sent = sent + 1
    if opening then return nextOfFlow() end
    if before then return whole(before .. take()) end
    return requests[(sent - 1) % #requests + 1]
  end
  startedAt = os.clock()
end

-- Which request it answers, wrk does not say; chains need not know.
function response(status, headers, body)
  if opening and isOfFlow(status, headers, body) then return end
  local token = not opening and before and body:match('"refresh_token"%s*:%s*"([^"\\]+)"')
  if status == expects and token then return put(token) end
  if status == expects and not before then return end
  unexpected = unexpected + 1
  local seen = (headers['Location'] or headers['location'] or '') .. body
  sample = sample or status .. ' ' .. seen:sub(1, 300):gsub('%c', ' ')
end

function done(summary, latency)
  -- Of the whole process, all its threads, without what it took to read the job.
  local cpu = (os.clock() - running:get('startedAt')) * 1e6
  local errors = summary.errors
  -- Connections that the server closes are no errors to every wrk. The first request is one that wrk
  -- only looks at; each connection may have one under way.
  local open = running:get('sent') - 1 - summary.requests - running:get('connections')
  io.write('what the bench is told\n')
  local function tell(name, value)
    io.write(name, ' ', type(value) == 'number' and string.format('%.0f', value) or value, '\n')
  end
  tell('cpu', cpu)
  tell('duration', summary.duration)
  local flows = running:get('flows')
  tell('answers', flows and flows + running:get('unexpected') or summary.requests)
  tell('sent', running:get('sent'))
  tell('unexpected', running:get('unexpected'))
  tell('broken', errors.connect + errors.read + errors.write)
  tell('unanswered', math.max(0, open))
  tell('late', errors.timeout)
  tell('p50', latency:percentile(50))
  tell('p99', latency:percentile(99))
  tell('slowest', latency.max)
  if running:get('sample') then tell('sample', running:get('sample')) end
  local ring, from = running:get('tokens'), running:get('first')
  for place = 0, running:get('count') - 1 do
    tell('token', ring[(from + place - 1) % #ring + 1])
  end
end
