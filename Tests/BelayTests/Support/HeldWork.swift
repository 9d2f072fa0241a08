@testable import Belay

extension ClaimContext {
    /// Held work of a tracker that never connects, claimed at 0 for 12 s.
    static func held(_ id: TaskID) throws -> ClaimContext {
        let claim = Claim(
            id: id,
            kind: "k",
            attempt: 1,
            token: "t",
            fence: 1,
            expires: Timestamp(microseconds: 12_000_000),
            lease: .seconds(12),
            worker: WorkerName(trusted: "w"),
            payload: .empty,
            created: Timestamp(microseconds: 0),
            due: Timestamp(microseconds: 0),
            claimed: Timestamp(microseconds: 0),
            failures: 0,
            crashes: 0,
            data: .empty,
            trace: [:]
        )
        return ClaimContext(claim, tracker: try Tracker(url: "unix:///nowhere"))
    }
}
