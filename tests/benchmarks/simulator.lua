-- Requests for tests/benchmarks/simulator.py: `wrk -t64 -c64 -s simulator.lua URL -- WORKLOAD`.
-- Each thread has one connection, so that each reply is held against the request that was sent on it: its number must
-- come back in the answer.

local threads = {}

function setup(thread)
   thread:set("id", #threads + 1)
   table.insert(threads, thread)
end

local words = "the quick brown fox jumps over a lazy dog while machines hum quietly beside shelves of unread manuals"
local tool = '{"type":"function","function":{"name":"weather","description":"Forecast for a city.","parameters":'
   .. '{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}}}'

function init(args)
   workload = args[1]
   answered, wrong, first_wrong = 0, 0, ""
   number = id * 10000
   wrk.headers["Authorization"] = "Bearer key-" .. id
   wrk.headers["Content-Type"] = "application/json"
   long = string.rep(words .. ". ", 280) -- some 5,000 tokens
end

function request()
   number = number + 1
   local model = workload:find("thinking") and "deepseek-flash" or "deepseek-chat"
   local text = string.format("What is %d * 7?", number)
   local messages, tools = "", ""
   if workload:find("tools") then
      text = string.format("Weather in Paris for %d days", number)
      tools = ',"tools":[' .. tool .. "]"
   end
   if workload:find("history") then
      messages = '{"role":"system","content":"' .. long .. '"},'
   elseif workload:find("fresh") then
      text = "Note " .. number .. ". " .. long .. text
   end
   local body = string.format(
      '{"model":"%s","stream":%s,"messages":[%s{"role":"user","content":"%s"}]%s}',
      model, workload:find("streamed") and "true" or "false", messages, text, tools
   )
   return wrk.format("POST", nil, nil, body)
end

local function joined(body, pattern)
   local parts = {}
   for part in body:gmatch(pattern) do
      table.insert(parts, part)
   end
   return table.concat(parts)
end

local function is_answer(status, body)
   if status ~= 200 then
      return false
   end
   if workload:find("streamed") and body:sub(-14) ~= "data: [DONE]\n\n" then
      return false
   end
   if workload:find("tools") then
      return joined(body, '"arguments":"(.-)"}'):match('days\\": (%d+)') == tostring(number)
   end
   return joined(body, '"content":"(.-)"') == string.format("%d * 7 = %d.", number, number * 7)
end

function response(status, headers, body)
   answered = answered + 1
   if not is_answer(status, body) then
      wrong = wrong + 1
      if first_wrong == "" then
         first_wrong = status .. " for " .. number .. ": " .. body
      end
   end
end

function done(summary, latency, requests)
   local total, bad = 0, 0
   for _, thread in ipairs(threads) do
      total = total + thread:get("answered")
      bad = bad + thread:get("wrong")
      if thread:get("first_wrong") ~= "" then
         io.stderr:write(thread:get("first_wrong") .. "\n")
      end
   end
   local lost = 0
   for _, kind in ipairs({ "connect", "read", "write", "timeout" }) do
      lost = lost + summary.errors[kind]
   end
   io.write(string.format("answered %d wrong %d lost %d p50 %d p99 %d\n", total, bad, lost,
      latency:percentile(50), latency:percentile(99)))
end
