-- Columns and filters in Wireshark and tshark for what handshark says of each handshake.
--
--   handshark slice night.pcapng --all-packets -o told.pcapng
--   tshark -X lua_script:handshark.lua -r told.pcapng -Y 'handshark.cause == "certificate-expired"' \
--          -T fields -e frame.number -e handshark.cause -e handshark.confidence
--
-- To install it, copy it to the folder of "Personal Lua Plugins" (Help > About Wireshark > Folders). It reads the comments that
-- handshark writes on packets, and nothing else. The verdict stands in the comment on a handshake's first packet; it is shown on all
-- packets of the connection from there on. A pcapng from elsewhere may hold comments that look the same.

local handshark = Proto("handshark", "handshark's verdict on the handshake")

local fields = {
    outcome = ProtoField.string("handshark.outcome", "Outcome", base.ASCII, "How the handshake ended"),
    cause = ProtoField.string("handshark.cause", "Cause", base.ASCII, "Why it ended so; `handshark explain CAUSE` tells more"),
    confidence = ProtoField.string("handshark.confidence", "Confidence", base.ASCII, "certain, strong, likely or hint"),
    stopped_by = ProtoField.string("handshark.stopped_by", "Stopped by", base.ASCII, "Who ended it"),
    summary = ProtoField.string("handshark.summary", "Summary", base.UNICODE, "The verdict in one sentence"),
    evidence = ProtoField.string("handshark.evidence", "Evidence", base.UNICODE, "What this packet proves"),
}
handshark.fields = { fields.outcome, fields.cause, fields.confidence, fields.stopped_by, fields.summary, fields.evidence }

local comment_of = Field.new("frame.comment")
local streams = { tcp = Field.new("tcp.stream"), udp = Field.new("udp.stream") }

-- The outcomes that handshark knows: a comment that begins with one of them is a verdict, any other says what its packet proves.
local outcomes = {
    completed = true, alerted = true, reset = true, closed = true, stalled = true, refused = true, plaintext = true, incomplete = true,
}

-- By connection: the verdicts on its handshakes in the order of their first frames. The numbers of connections begin anew with each
-- file, and so does this.
local verdicts = {}

function handshark.init()
    verdicts = {}
end

-- "handshark: alerted, certificate-expired (certain), stopped by client. The certificate of …"
-- "handshark: completed. TLS 1.3 with …"
local function read_verdict(text)
    local outcome, rest = text:match("^(%l+)(.*)$")
    if not outcomes[outcome] then
        return nil
    end
    local cause, confidence, stopped_by, summary = rest:match("^, ([%w-]+) %((%l+)%), stopped by (%l+)%. (.*)$")
    if cause then
        return { outcome = outcome, cause = cause, confidence = confidence, stopped_by = stopped_by, summary = summary }
    end
    summary = rest:match("^%. (.*)$")
    return summary and { outcome = outcome, summary = summary }
end

local function connection_of()
    for name, field in pairs(streams) do
        local stream = field()
        if stream then
            return name .. tostring(stream.value)
        end
    end
    return nil
end

local function remember(connection, frame, verdict)
    local known = verdicts[connection] or {}
    verdicts[connection] = known
    for _, other in ipairs(known) do
        if other.frame == frame then
            return
        end
    end
    table.insert(known, { frame = frame, verdict = verdict })
    table.sort(known, function(one, other) return one.frame < other.frame end)
end

local function verdict_at(connection, frame)
    local found
    for _, known in ipairs(verdicts[connection] or {}) do
        if known.frame <= frame then
            found = known.verdict
        end
    end
    return found
end

function handshark.dissector(buffer, packet, tree)
    local connection = connection_of()
    local own, evidence = nil, {}
    for _, comment in ipairs({ comment_of() }) do
        local text = tostring(comment.value):match("^handshark: (.*)$")
        local verdict = text and read_verdict(text)
        if verdict then
            own = own or verdict
        elseif text then
            table.insert(evidence, text)
        end
    end
    if own and connection then
        remember(connection, packet.number, own)
    end
    local verdict = connection and verdict_at(connection, packet.number) or own
    if not verdict and #evidence == 0 then
        return
    end
    local branch = tree:add(handshark, buffer(0, 0))
    for _, name in ipairs({ "outcome", "cause", "confidence", "stopped_by", "summary" }) do
        if verdict and verdict[name] then
            branch:add(fields[name], verdict[name]):set_generated()
        end
    end
    for _, text in ipairs(evidence) do
        branch:add(fields.evidence, text):set_generated()
    end
end

register_postdissector(handshark)
