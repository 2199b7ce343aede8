--[[
Colorize with Photochrom: a script for darktable.

Copy this file to ~/.config/darktable/lua/contrib/ and add the line
    require "contrib/photochrom"
to ~/.config/darktable/luarc. The command "photochrom" must be installed. If it is not on the search path, enter its
path as the preference "photochrom: command".

"Colorize with Photochrom" in the panel "selected images" exports each selected image as 16-bit TIFF, colours it,
imports the result beside the original, and groups the two.
]]

local dt = require "darktable"

local NAME = "photochrom"
dt.preferences.register(NAME, "command", "string", "photochrom: command",
  "program that colours photographs", "photochrom")

-- Quote a word for the shell.
local function quoted(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- Run photochrom on a file; return its error message if it fails, otherwise nil.
local function colorize(source, target)
  local command = dt.preferences.read(NAME, "command", "string")
  local log = os.tmpname()
  local line = string.format("%s photo %s -o %s --recolor --quiet 2> %s", command, quoted(source), quoted(target), quoted(log))
  local done = os.execute(line)
  local file = io.open(log)
  local message = file and file:read("a") or ""
  if file then file:close() end
  os.remove(log)
  if done == true or done == 0 then return nil end
  return message ~= "" and message or "photochrom failed"
end

-- Return the path of a file that does not exist yet: old.color.tif, old.color-2.tif ...
local function free_name(folder, stem)
  local name, number = folder .. "/" .. stem .. ".color.tif", 1
  local file = io.open(name)
  while file do
    file:close()
    number = number + 1
    name = string.format("%s/%s.color-%d.tif", folder, stem, number)
    file = io.open(name)
  end
  return name
end

local function color_one(image)
  local format = dt.new_format("tiff")
  format.bpp = 16
  local exported = os.tmpname() .. ".tif"
  format:write_image(image, exported, false)
  local target = free_name(image.path, image.filename:gsub("%.[^.]*$", ""))
  local message = colorize(exported, target)
  os.remove(exported)
  if message then
    dt.print(string.format("%s: %s", image.filename, message))
    return
  end
  local colored = dt.database.import(target)
  if colored then colored:group_with(image.group_leader) end
end

local function color_selected(event, images)
  local job = dt.gui.create_job("colouring with Photochrom", true)
  for number, image in ipairs(images) do
    color_one(image)
    job.percent = number / #images
  end
  job.valid = false
end

dt.gui.libs.image.register_action(NAME, "Colorize with Photochrom", color_selected,
  "colour the selected black-and-white images")

local script = {}
script.destroy = function() dt.gui.libs.image.destroy_action(NAME) end
return script
