-- Asks for the paths that follow the address on the command line, in turns.
local paths
local last = 0

function init(args)
   paths = args
end

function request()
   last = last % #paths + 1
   return wrk.format("GET", paths[last])
end
