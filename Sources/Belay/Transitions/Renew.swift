import BelayScripts
package import RedisWire

/// Extends leases.
package struct Renew: Verb {
    package static let script = RedisScript(.renew)
    package var items: [(handle: ClaimHandle, lease: Duration)]

    package init(items: [(handle: ClaimHandle, lease: Duration)]) { self.items = items }

    /// Each for its own lease.
    init(_ claims: [Claim]) { items = claims.map { ($0.handle, $0.lease) } }

    package func validate() throws(TrackerError) {
        try HolderBatch.check(items.count)
        for item in items { try ClaimMany.check(lease: item.lease) }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys(items.lazy.map(\.handle.id))
        for item in items {
            call.append(item.handle)
            call.append(item.lease)
        }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [Renewal] {
        try reply.requireOK()
        var renewals = [Renewal](repeating: Renewal(.renewed), count: items.count)
        for exception in try reply.exceptions(within: items.count) {
            switch exception.word {
            case "STALE": renewals[exception.place] = Renewal(.stale)
            case "GONE": renewals[exception.place] = Renewal(.gone)
            case "CANCEL":
                let outcome = exception.signal.map { RenewOutcome.terminateRequested(signal: $0) } ?? .cancelRequested
                renewals[exception.place] = Renewal(outcome, end: exception.time)
            case "ENDING":
                guard let end = exception.time else { throw reply.malformed("no time with ENDING") }
                renewals[exception.place] = Renewal(.ending(at: end), end: end)
            default: throw reply.malformed("unknown answer “\(exception.word)”")
            }
        }
        return renewals
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [Renewal] {
        try await tracker.split(items, by: { $0.handle.id }) { part, some throws(TrackerError) in
            try await part.perform(Renew(items: some))
        }
    }
}

/// What a renewal gave, with what only the holder's own loops need.
package struct Renewal: Sendable, Hashable {
    package var outcome: RenewOutcome
    /// When the lock ends; told of a task that is to stop, and where the lock holds for less than a lease.
    package var end: Timestamp?

    package init(_ outcome: RenewOutcome, end: Timestamp? = nil) {
        self.outcome = outcome
        self.end = end
    }
}

/// What the batches of holders' verbs have in common.
enum HolderBatch {
    static func check(_ count: Int) throws(TrackerError) {
        guard (1...Limits.batch).contains(count) else {
            throw .invalid("number of tasks", count, allowed: "1 to \(Limits.batch) in one call")
        }
    }
}

extension ScriptCall {
    /// Token and fence of a holder.
    mutating func append(_ handle: ClaimHandle) {
        append(handle.token)
        append(handle.fence)
    }
}

extension ScriptReply {
    /// `[[place word time? signal?] ...]`, places from 1 in the answer and from 0 here.
    func exceptions(
        within count: Int
    ) throws(TrackerError) -> [(place: Int, word: String, time: Timestamp?, signal: Int?)] {
        var exceptions: [(place: Int, word: String, time: Timestamp?, signal: Int?)] = []
        // A script that has none to tell may leave the list out.
        for item in elements.count == 2 ? [] : try list(2) {
            let parts = try items(item)
            guard (2...4).contains(parts.count) else { throw malformed("\(item) is not a place and a word") }
            let time = parts.count > 2 ? optionalMoment(parts[2]) : nil
            let signal = parts.count > 3 ? parts[3].int : nil
            exceptions.append((try place(parts[0], of: count), try text(parts[1]), time, signal))
        }
        return exceptions
    }

    /// A place from 1 to `count`, told from 0.
    func place(_ reply: RedisReply, of count: Int) throws(TrackerError) -> Int {
        let place = try number(reply)
        guard place >= 1, place <= count else { throw malformed("place \(place) of \(count) tasks") }
        return place - 1
    }

    /// `["state due" | STALE | GONE ...]`, one for each of `count` tasks.
    func handBacks(_ count: Int) throws(TrackerError) -> [HandBackOutcome] {
        let answers = try list(2)
        guard answers.count == count else { throw malformed("\(answers.count) answers for \(count) tasks") }
        var outcomes: [HandBackOutcome] = []
        for answer in answers {
            let words = try text(answer).split(separator: " ")
            switch words.first {
            case "q":
                guard words.count == 2, let due = Int(words[1]), 0...(1 << 53) ~= due else {
                    throw malformed("\(answer) is not an outcome")
                }
                outcomes.append(.ready(due: Timestamp(microseconds: due)))
            case "x": outcomes.append(.exhausted)
            case "n": outcomes.append(.ignored)
            case "c": outcomes.append(.cancelled)
            case "GONE": outcomes.append(.gone)
            // A task that was failed here and has since been run again by others is no longer this holder's.
            case "STALE", "r", "s": outcomes.append(.stale)
            default: throw malformed("\(answer) is not an outcome")
            }
        }
        return outcomes
    }
}
