import Belay

extension VerbTable {
    static let clock = [
        VerbEntry(
            "clock/set",
            "Sets the clock of a service that was started with one, for testing.",
            isWrite: true,
            errors: [.clockRefused]
        ) { (call, request: ClockSetRequest) in
            try call.moved { try $0.move(to: request.time, field: "time") }
        },
        VerbEntry(
            "clock/advance",
            "Moves the clock of a service that was started with one, for testing.",
            isWrite: true,
            errors: [.clockRefused]
        ) { (call, request: ClockAdvanceRequest) in
            try call.moved { try $0.move(to: $0.now + request.by.duration, field: "by") }
        },
    ]
}

extension VerbCall {
    fileprivate func moved(_ move: (ManualClock) throws -> Void) throws -> ClockResponse {
        guard let clock else {
            throw Problem(
                .clockRefused,
                "this service runs on the server's clock; start one with --manual-clock for tests"
            )
        }
        try move(clock)
        return ClockResponse(now: clock.now)
    }
}

extension ManualClock {
    /// Scores are exact, and fences grow, only within these years.
    private static let range = Timestamp(microseconds: 0)...Timestamp(microseconds: 4_102_444_800_000_000)

    fileprivate func move(to moment: Timestamp, field: String) throws {
        guard Self.range.contains(moment) else {
            throw Problem(.invalidArgument, "\(field) leads to \(moment); allowed: from 1970 to 2100", field: field)
        }
        set(moment)
    }
}

struct ClockSetRequest: Documented {
    var time: Timestamp

    static let docs = ["time": "What it shows from now on."]
}

struct ClockAdvanceRequest: Documented {
    var by: Seconds

    static let docs = ["by": "How far forwards; less than 0 for backwards."]
}

struct ClockResponse: Documented, Encodable {
    var now: Timestamp

    static let docs = ["now": "What it shows."]
}
