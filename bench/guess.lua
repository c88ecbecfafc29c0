-- Sends the credentials that follow the address on the command line, in turns.
local credentials
local last = 0

function init(args)
   credentials = args
end

function request()
   last = last % #credentials + 1
   return wrk.format("GET", nil, {Authorization = credentials[last]})
end
