-- Cantilena in REAPER: continue, rewrite or harmonise the selected MIDI item.
--
-- Start the studio (`cantilena studio --no-open --port 8000`), load this file in REAPER's list of actions (Actions > Show
-- action list > New action > Load ReaScript), select a MIDI item and run it. The result is a new item after the selected
-- one: with "continue" the new bars, with "rewrite" the whole melody with other bars, with "harmonise" the melody on
-- channel 1 and its chords on channel 2. ReaScript cannot send requests itself: curl does, which is part of Windows,
-- macOS and most Linux systems. Another address of the studio: reaper.SetExtState("cantilena", "address", "http://...", true)

local TITLE, TICKS = "Cantilena", 24 -- ticks of a quarter note

-- Everything that goes wrong ends the script with a message of what to do.
local function fail(text, hint)
  error({ message = hint and (text .. "\n\n" .. hint) or text })
end

-- JSON -----------------------------------------------------------------------------------------------------------------

local ARRAY = {} -- the metatable of arrays, so that an empty one is not written as an object

local NULL = {}

local function array(values) return setmetatable(values or {}, ARRAY) end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function to_json(value)
  local kind = type(value)
  if kind == "string" then
    local escaped = value:gsub('[%c"\\]', function(c) return ESCAPES[c] or string.format("\\u%04x", c:byte()) end)
    return '"' .. escaped .. '"'
  elseif kind == "number" then
    return value == math.floor(value) and string.format("%d", value) or string.format("%.10g", value)
  elseif value == NULL then
    return "null"
  elseif kind == "table" then
    local parts = {}
    if getmetatable(value) == ARRAY then
      for _, one in ipairs(value) do parts[#parts + 1] = to_json(one) end
      return "[" .. table.concat(parts, ",") .. "]"
    end
    for name, one in pairs(value) do parts[#parts + 1] = to_json(name) .. ":" .. to_json(one) end
    return "{" .. table.concat(parts, ",") .. "}"
  end
  return tostring(value) -- true, false
end

local UNESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

-- Read a value of a JSON text from a position; returns it, nil for null, and the position after it.
local function from_json(text, at)
  at = text:find("%S", at or 1)
  local first = at and text:sub(at, at)
  if not first then fail("The studio sent an incomplete response.") end
  if first == "{" or first == "[" then
    local made, closing = first == "[" and array() or {}, first == "[" and "]" or "}"
    at = text:find("%S", at + 1)
    local count = 0 -- not #made, which null would upset
    while text:sub(at, at) ~= closing do
      local name, value
      if first == "{" then
        name, at = from_json(text, at)
        at = text:find("%S", at) + 1 -- the colon
      end
      value, at = from_json(text, at)
      count = count + 1
      made[name or count] = value
      at = text:find("%S", at)
      if text:sub(at, at) == "," then at = text:find("%S", at + 1) end
    end
    return made, at + 1
  elseif first == '"' then
    local parts, from = {}, at + 1
    while true do
      local stop = text:find('["\\]', from)
      if not stop then fail("The studio sent an incomplete response.") end
      parts[#parts + 1] = text:sub(from, stop - 1)
      if text:sub(stop, stop) == '"' then return table.concat(parts), stop + 1 end
      local escape = text:sub(stop + 1, stop + 1)
      if escape == "u" then
        parts[#parts + 1] = utf8.char(tonumber(text:sub(stop + 2, stop + 5), 16))
        from = stop + 6
      else
        parts[#parts + 1] = UNESCAPES[escape] or escape
        from = stop + 2
      end
    end
  end
  local word = text:match("^[%w%.%+%-]+", at)
  if not word then fail("The studio sent something other than JSON: " .. text:sub(at, at + 60)) end
  if word == "true" or word == "false" then return word == "true", at + #word end
  return tonumber(word), at + #word
end

-- The studio -----------------------------------------------------------------------------------------------------------

local function request(path, body)
  local address = reaper.GetExtState("cantilena", "address")
  if address == "" then address = "http://127.0.0.1:8000" end
  local sent = reaper.GetResourcePath() .. "/cantilena-request.json"
  local received = reaper.GetResourcePath() .. "/cantilena-response.json"
  local file = io.open(sent, "wb")
  if not file then fail("The file " .. sent .. " cannot be written.") end
  file:write(to_json(body))
  file:close()
  local command = string.format(
    'curl -sS -m 60 -H "Content-Type: application/json" --data-binary "@%s" -o "%s" -w "%%{http_code}" "%s%s"',
    sent, received, address, path)
  local output = reaper.ExecProcess(command, 65000)
  os.remove(sent)
  if not output then fail("curl could not be started.", "Install it: https://curl.se") end
  local code, status = output:match("^(%-?%d+)%s*(.*)$")
  if code == "7" then
    fail("The studio does not answer at " .. address .. ".", "Start it: cantilena studio --no-open --port 8000")
  elseif code ~= "0" then
    fail("curl failed: " .. output)
  end
  file = io.open(received, "rb")
  if not file then fail("The studio sent nothing.") end
  local text = file:read("a")
  file:close()
  os.remove(received)
  local answer = from_json(text)
  if not status:match("^2") then fail("The studio: " .. (answer.error or text), answer.hint) end
  return answer
end

-- REAPER ---------------------------------------------------------------------------------------------------------------

local function round(number) return math.floor(number + 0.5) end

-- The selected item as a melody of the studio, and the quarter note of the project at which it begins.
local function selected_melody()
  local item = reaper.GetSelectedMediaItem(0, 0)
  if not item then fail("No item is selected.", "Select a MIDI item with a melody.") end
  local take = reaper.GetActiveTake(item)
  if not take or not reaper.TakeIsMIDI(take) then fail("The selected item is not MIDI.", "Select a MIDI item.") end
  local from = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local to = from + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  local start, stop = reaper.TimeMap2_timeToQN(0, from), reaper.TimeMap2_timeToQN(0, to)
  local by_onset, onsets = {}, {}
  local _, count = reaper.MIDI_CountEvts(take)
  for index = 0, count - 1 do
    local _, _, muted, on, off, _, pitch = reaper.MIDI_GetNote(take, index)
    on, off = reaper.MIDI_GetProjQNFromPPQPos(take, on), reaper.MIDI_GetProjQNFromPPQPos(take, off)
    local onset = round((on - start) * TICKS)
    if not muted and onset >= 0 and on < stop then -- a looped or cut item holds notes outside
      local duration = math.max(round((math.min(off, stop) - start) * TICKS) - onset, 1)
      if not by_onset[onset] then
        by_onset[onset] = { onset = onset, duration = duration, pitches = array() }
        onsets[#onsets + 1] = onset
      end
      local note = by_onset[onset]
      note.duration = math.max(note.duration, duration)
      note.pitches[#note.pitches + 1] = pitch
    end
  end
  if #onsets == 0 then fail("The selected item has no notes.", "Select a MIDI item with a melody.") end
  table.sort(onsets)
  local notes = array()
  for _, onset in ipairs(onsets) do notes[#notes + 1] = by_onset[onset] end
  local over, under = reaper.TimeMap_GetTimeSigAtTime(0, from)
  local bar = over * 4 * TICKS / under
  -- An item that begins within a bar begins with a pickup, and its last bar is taken as complete.
  local _, bar_start, bar_end = reaper.TimeMap_QNToMeasures(0, start + 0.001)
  local pickup = start - bar_start > 0.02 and round((bar_end - start) * TICKS) or 0
  local length = pickup + math.ceil((round((stop - start) * TICKS) - pickup) / bar - 0.01) * bar
  local quarter = reaper.TimeMap2_QNToTime(0, start + 1) - reaper.TimeMap2_QNToTime(0, start)
  local melody = {
    notes = notes, key = NULL, -- the studio finds it
    meter = string.format("%d/%d", over, under), tempo = 60 / quarter, pickup = pickup, length = length,
  }
  return melody, start, reaper.GetMediaItemTrack(item)
end

-- Write notes, `{ onset, duration, pitches, channel }` in ticks, into a new item that begins at a quarter note.
local function new_item(track, start, length, notes)
  local from, to = reaper.TimeMap2_QNToTime(0, start), reaper.TimeMap2_QNToTime(0, start + length / TICKS)
  local take = reaper.GetActiveTake(reaper.CreateNewMIDIItemInProj(track, from, to, false))
  for _, note in ipairs(notes) do
    local on = reaper.MIDI_GetPPQPosFromProjQN(take, start + note.onset / TICKS)
    local off = reaper.MIDI_GetPPQPosFromProjQN(take, start + (note.onset + note.duration) / TICKS)
    for _, pitch in ipairs(note.pitches) do
      reaper.MIDI_InsertNote(take, false, false, on, off, note.channel or 0, pitch, note.channel and 60 or 80, true)
    end
  end
  reaper.MIDI_Sort(take)
end

-- Semitones above the root, by the qualities of POST /api/harmonise.
local QUALITIES = {
  maj = { 0, 4, 7 }, min = { 0, 3, 7 }, dim = { 0, 3, 6 }, aug = { 0, 4, 8 }, ["7"] = { 0, 4, 7, 10 },
  maj7 = { 0, 4, 7, 11 }, min7 = { 0, 3, 7, 10 }, m7b5 = { 0, 3, 6, 10 }, dim7 = { 0, 3, 6, 9 },
  sus2 = { 0, 2, 7 }, sus4 = { 0, 5, 7 }, ["7sus4"] = { 0, 5, 7, 10 },
}

-- Chords of a harmony as notes below middle C.
local function chord_notes(chords)
  local notes = {}
  for _, chord in ipairs(chords) do
    if chord.root then
      local pitches = { 36 + chord.bass }
      for _, step in ipairs(QUALITIES[chord.quality] or { 0 }) do pitches[#pitches + 1] = 48 + (chord.root + step) % 12 end
      notes[#notes + 1] = { onset = round(chord.onset * TICKS), duration = round(chord.duration * TICKS), pitches = pitches, channel = 1 }
    end
  end
  return notes
end

local function main()
  local melody, start, track = selected_melody()
  local is_chosen, answers = reaper.GetUserInputs(TITLE, 3,
    "continue / rewrite / harmonise,New bars; to rewrite e.g. 3-4,Model", "continue,4,tunes")
  if not is_chosen then return end
  local action, bars, model = answers:match("^%s*(.-)%s*,%s*(.-)%s*,%s*(.-)%s*$")
  local first, last = (bars or ""):match("^(%d+)%-?(%d*)$")
  local seed = math.floor(reaper.time_precise() * 1000) % 2 ^ 31
  local at, length, notes = start + melody.length / TICKS, melody.length, nil
  if action == "harmonise" then
    local harmony = request("/api/harmonise", { melody = melody, count = 1, seed = seed }).harmonies[1]
    notes = chord_notes(harmony.chords)
    for _, note in ipairs(melody.notes) do notes[#notes + 1] = note end
  elseif not first then
    fail('"' .. (bars or "") .. '" is no number of bars.', "Write 4, or to rewrite bars 3 and 4 write 3-4.")
  elseif action == "continue" then
    local body = { idea = melody, bars = tonumber(first), with_primer = false, count = 1, model = model, seed = seed }
    local new = request("/api/compose", body).candidates[1].melody
    length, notes = new.length, new.notes
  elseif action == "rewrite" then
    last = tonumber(last) or tonumber(first)
    local body = { melody = melody, first = tonumber(first), last = last, count = 1, model = model, seed = seed }
    notes = request("/api/rewrite", body).candidates[1].melody.notes
  else
    fail('There is no "' .. action .. '".', "Write continue, rewrite or harmonise.")
  end
  reaper.Undo_BeginBlock()
  new_item(track, at, length, notes)
  reaper.Undo_EndBlock(TITLE .. ": " .. action, -1)
  reaper.UpdateArrange()
end

local is_done, problem = pcall(main)
if not is_done then reaper.ShowMessageBox(type(problem) == "table" and problem.message or tostring(problem), TITLE, 0) end
