-- Asks for the path that follows the address on the command line, each time with another query string.
local path
local number = 0

function init(args)
   path = args[1]
end

function request()
   number = number + 1
   return wrk.format("GET", path .. "?number=" .. number)
end
