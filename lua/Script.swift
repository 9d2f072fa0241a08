/// One Lua script of Belay's protocol, with the shared pieces that it names put in their places.
///
/// The files beside this one are the protocol: any language may run them (see `README.md` here). A script names what it
/// shares with others in comment lines `-- @include name`; each piece stands in `shared/name.lua` and is put where that line
/// is. What a script needs rarely is named inside the branch that needs it, and costs nothing when it is not taken.
public struct Script: Sendable {
    /// The verb, as the file is named.
    public let name: String
    /// The whole text that is sent to the server. It is constant: parameters travel in KEYS and ARGV only.
    public let source: String

    private init(_ name: String, _ bytes: [UInt8]) {
        self.name = name
        var text = "-- belay 1 \(name)\n"
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.drop { $0 == " " }
            if words.hasPrefix("-- @include ") {
                let piece = String(words.dropFirst("-- @include ".count))
                guard let lines = Self.shared[piece] else {
                    preconditionFailure("\(name).lua includes no piece \(piece)")
                }
                text += lines
            } else if !words.hasPrefix("--") {
                text += line + "\n"
            }
        }
        source = text
    }

    /// Comment lines are for readers of the files; the server need not keep them.
    private static func withoutComments(_ text: String) -> String {
        text.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("--") }.joined(separator: "\n") + "\n"
    }

    private static let shared: [String: String] = [
        "allkinds": PackageResources.allkinds_lua,
        "beside": PackageResources.beside_lua,
        "body": PackageResources.body_lua,
        "clock": PackageResources.clock_lua,
        "events": PackageResources.events_lua,
        "evict": PackageResources.evict_lua,
        "expire": PackageResources.expire_lua,
        "forget": PackageResources.forget_lua,
        "giveback": PackageResources.giveback_lua,
        "groups": PackageResources.groups_lua,
        "header": PackageResources.header_lua,
        "history": PackageResources.history_lua,
        "holders": PackageResources.holders_lua,
        "jump": PackageResources.jump_lua,
        "keep": PackageResources.keep_lua,
        "kin": PackageResources.kin_lua,
        "lines": PackageResources.lines_lua,
        "moment": PackageResources.moment_lua,
        "policy": PackageResources.policy_lua,
        "row": PackageResources.row_lua,
        "shift": PackageResources.shift_lua,
        "start": PackageResources.start_lua,
        "targets": PackageResources.targets_lua,
        "wake": PackageResources.wake_lua,
    ].mapValues { withoutComments(String(decoding: $0, as: UTF8.self)) }

    // Transitions.
    /// `acquire.lua`
    public static let acquire = Script("acquire", PackageResources.acquire_lua)
    /// `advance.lua`
    public static let advance = Script("advance", PackageResources.advance_lua)
    /// `beat.lua`
    public static let beat = Script("beat", PackageResources.beat_lua)
    /// `cancel.lua`
    public static let cancel = Script("cancel", PackageResources.cancel_lua)
    /// `claim.lua`
    public static let claim = Script("claim", PackageResources.claim_lua)
    /// `clear.lua`
    public static let clear = Script("clear", PackageResources.clear_lua)
    /// `complete.lua`
    public static let complete = Script("complete", PackageResources.complete_lua)
    /// `define.lua`
    public static let define = Script("define", PackageResources.define_lua)
    /// `delete.lua`
    public static let delete = Script("delete", PackageResources.delete_lua)
    /// `destroy.lua`
    public static let destroy = Script("destroy", PackageResources.destroy_lua)
    /// `enqueue.lua`
    public static let enqueue = Script("enqueue", PackageResources.enqueue_lua)
    /// `fail.lua`
    public static let fail = Script("fail", PackageResources.fail_lua)
    /// `gate.lua`
    public static let gate = Script("gate", PackageResources.gate_lua)
    /// `hook.lua`
    public static let hook = Script("hook", PackageResources.hook_lua)
    /// `ignore.lua`
    public static let ignore = Script("ignore", PackageResources.ignore_lua)
    /// `ingest.lua`
    public static let ingest = Script("ingest", PackageResources.ingest_lua)
    /// `leave.lua`
    public static let leave = Script("leave", PackageResources.leave_lua)
    /// `log.lua`
    public static let log = Script("log", PackageResources.log_lua)
    /// `open.lua`
    public static let open = Script("open", PackageResources.open_lua)
    /// `pause.lua`
    public static let pause = Script("pause", PackageResources.pause_lua)
    /// `prioritise.lua`
    public static let prioritise = Script("prioritise", PackageResources.prioritise_lua)
    /// `progress.lua`
    public static let progress = Script("progress", PackageResources.progress_lua)
    /// `purge.lua`
    public static let purge = Script("purge", PackageResources.purge_lua)
    /// `reap.lua`
    public static let reap = Script("reap", PackageResources.reap_lua)
    /// `release.lua`
    public static let release = Script("release", PackageResources.release_lua)
    /// `renew.lua`
    public static let renew = Script("renew", PackageResources.renew_lua)
    /// `resume.lua`
    public static let resume = Script("resume", PackageResources.resume_lua)
    /// `retry.lua`
    public static let retry = Script("retry", PackageResources.retry_lua)
    /// `save.lua`
    public static let save = Script("save", PackageResources.save_lua)
    /// `segment.lua`
    public static let segment = Script("segment", PackageResources.segment_lua)
    /// `snooze.lua`
    public static let snooze = Script("snooze", PackageResources.snooze_lua)
    /// `undefine.lua`
    public static let undefine = Script("undefine", PackageResources.undefine_lua)

    // Queries.
    /// `attempts.lua`
    public static let attempts = Script("attempts", PackageResources.attempts_lua)
    /// `explain.lua`
    public static let explain = Script("explain", PackageResources.explain_lua)
    /// `find.lua`
    public static let find = Script("find", PackageResources.find_lua)
    /// `fleet.lua`
    public static let fleet = Script("fleet", PackageResources.fleet_lua)
    /// `foreign.lua`
    public static let foreign = Script("foreign", PackageResources.foreign_lua)
    /// `get.lua`
    public static let get = Script("get", PackageResources.get_lua)
    /// `hooks.lua`
    public static let hooks = Script("hooks", PackageResources.hooks_lua)
    /// `kinds.lua`
    public static let kinds = Script("kinds", PackageResources.kinds_lua)
    /// `logs.lua`
    public static let logs = Script("logs", PackageResources.logs_lua)
    /// `parents.lua`
    public static let parents = Script("parents", PackageResources.parents_lua)
    /// `peek.lua`
    public static let peek = Script("peek", PackageResources.peek_lua)
    /// `segments.lua`
    public static let segments = Script("segments", PackageResources.segments_lua)
    /// `stats.lua`
    public static let stats = Script("stats", PackageResources.stats_lua)
    /// `stream.lua`
    public static let stream = Script("stream", PackageResources.stream_lua)
    /// `tags.lua`
    public static let tags = Script("tags", PackageResources.tags_lua)
    /// `workers.lua`
    public static let workers = Script("workers", PackageResources.workers_lua)
}
