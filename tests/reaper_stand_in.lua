-- A stand-in for REAPER's API, as far as examples/reaper.lua uses it: one MIDI item at 120 quarter notes a minute in 4/4.
--
-- lua reaper_stand_in.lua SCRIPT FOLDER ADDRESS ANSWERS START_QN END_QN [ON OFF PITCH]...
-- It prints what the script did: `item FROM TO`, `note ON OFF CHANNEL PITCH`, `message TEXT`, in quarter notes.

local script, folder, address, answers = arg[1], arg[2], arg[3], arg[4]
local from, to = tonumber(arg[5]), tonumber(arg[6])
local notes = {}
for at = 7, #arg, 3 do notes[#notes + 1] = { tonumber(arg[at]), tonumber(arg[at + 1]), tonumber(arg[at + 2]) } end
local PPQ = 960

reaper = {
  GetExtState = function(section, key) return section == "cantilena" and key == "address" and address or "" end,
  GetResourcePath = function() return folder end,
  ExecProcess = function(command)
    local pipe = io.popen(command .. " 2>&1; code=$?; echo; echo $code")
    local output = pipe:read("a")
    pipe:close()
    local printed, code = output:match("^(.*)\n(%d+)\n$")
    return code .. "\n" .. printed
  end,
  GetUserInputs = function() return answers ~= "", answers end,
  ShowMessageBox = function(text) print("message " .. text:gsub("\n+", " | ")) end,
  GetSelectedMediaItem = function() return from < to and "item" or nil end,
  GetActiveTake = function(item) return item .. " take" end,
  TakeIsMIDI = function() return true end,
  GetMediaItemInfo_Value = function(_, name) return name == "D_POSITION" and from / 2 or (to - from) / 2 end,
  GetMediaItemTrack = function() return "track" end,
  TimeMap2_timeToQN = function(_, seconds) return 2 * seconds end,
  TimeMap2_QNToTime = function(_, quarters) return quarters / 2 end,
  TimeMap_QNToMeasures = function(_, quarters)
    local measure = math.floor(quarters / 4)
    return measure, 4 * measure, 4 * measure + 4
  end,
  TimeMap_GetTimeSigAtTime = function() return 4, 4, 120 end,
  MIDI_CountEvts = function() return true, #notes, 0, 0 end,
  MIDI_GetNote = function(_, index)
    local note = notes[index + 1]
    return true, false, false, (note[1] - from) * PPQ, (note[2] - from) * PPQ, 0, note[3], 96
  end,
  MIDI_GetProjQNFromPPQPos = function(_, ppq) return from + ppq / PPQ end,
  MIDI_GetPPQPosFromProjQN = function(_, quarters) return quarters * PPQ end,
  CreateNewMIDIItemInProj = function(_, start, stop)
    print(string.format("item %.4f %.4f", 2 * start, 2 * stop))
    return "new"
  end,
  MIDI_InsertNote = function(_, _, _, on, off, channel, pitch)
    print(string.format("note %.4f %.4f %d %d", on / PPQ, off / PPQ, channel, pitch))
  end,
  MIDI_Sort = function() end,
  Undo_BeginBlock = function() end,
  Undo_EndBlock = function() end,
  UpdateArrange = function() end,
  time_precise = function() return 12.345 end,
}

dofile(script)
