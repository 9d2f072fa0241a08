import BelayScripts
package import RedisWire

/// Why a task does not run; the numbers are those of its partition.
package struct Explain: Verb {
    package static let script = RedisScript(.explain)
    package var id: TaskID

    package func encode(into call: inout ScriptCall) { call.keys(CollectionOfOne(id)) }

    /// Nil when there is no such task.
    package func decode(_ reply: ScriptReply) throws(TrackerError) -> Explanation? {
        if reply.word == "GONE" { return nil }
        try reply.requireOK()
        let facts = try ExplainedFacts(reply.list(2), of: reply)
        return Explanation(
            id: id,
            kind: facts.kind,
            state: facts.state,
            now: try reply.moment(),
            reasons: facts.reasons(now: try reply.moment())
        )
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> Explanation? {
        try await tracker.one(self, of: id)
    }
}

/// What the script found, by the names that its header tells.
private struct ExplainedFacts {
    let kind: KindName
    let state: TaskState
    private let letter: String
    private let values: [String: String]
    private let policy: KindPolicy?
    private let last: Attempt?

    init(_ flat: [RedisReply], of reply: ScriptReply) throws(TrackerError) {
        var values: [String: String] = [:]
        for i in stride(from: 0, to: flat.count - 1, by: 2) {
            values[try reply.text(flat[i])] = String(decoding: try reply.bytes(flat[i + 1]), as: UTF8.self)
        }
        guard let kind = values["k"], let letter = values["s"] else { throw reply.malformed("no kind or state") }
        self.kind = KindName(trusted: kind)
        self.letter = letter
        state = try reply.state(letter)
        policy = try values[".policy"].map { text throws(TrackerError) in try PolicyText.decode(text) }
        last = try values[".last"].map { text throws(TrackerError) in
            try Attempt(remembered: Array(text.utf8), of: reply)
        }
        self.values = values
    }

    /// A whole number that Lua can hold, so that no sum of two overflows.
    private static func exact(_ text: String) -> Int? { Int(text).flatMap { $0.magnitude <= 1 << 53 ? $0 : nil } }
    private func number(_ name: String) -> Int { values[name].flatMap(Self.exact) ?? 0 }
    private func moment(_ name: String) -> Timestamp? {
        values[name].flatMap(Self.exact).map(Timestamp.init(microseconds:))
    }
    private var changed: Timestamp { moment("u") ?? moment("c") ?? Timestamp(microseconds: 0) }
    private var limit: Int { number("l") > 0 ? number("l") : policy?.attempts ?? 1 }

    func reasons(now: Timestamp) -> [Explanation.Reason] {
        switch state {
        case .ready: waiting(now)
        case .blocked: awaiting()
        case .running: held(now)
        case .paused:
            letter == "h"
                ? [.paused(since: changed, worker: values["w"])] + held(now)
                : [.paused(since: changed, worker: nil)]
        case .succeeded: [.succeeded(at: changed)]
        case .exhausted: [.exhausted(at: changed, attempts: number("n"), error: last?.failure)]
        case .cancelled:
            switch values["cc"].flatMap({ CancelCause($0) }) {
            case .expired: [.expired(at: changed)]
            case .deduplicated(let other): [.deduplicated(at: changed, of: other)]
            case .parentFailed(let parent): [.parentFailed(at: changed, parent: parent)]
            case nil: [.cancelled(at: changed, reason: values["cr"] ?? "")]
            }
        case .ignored: [.ignored(at: changed)]
        }
    }

    private func awaiting() -> [Explanation.Reason] {
        let open = (values[".parents"] ?? "").split(separator: "\n").compactMap { line -> ParentOutcome? in
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            guard words.count == 2, let parent = Dependencies.Parent(words[1]) else { return nil }
            return ParentOutcome(parent: parent, state: TaskState(letter: words[0]), result: nil)
        }
        return [.awaiting(parents: open, needed: number("pn"), unfinished: number("pw"))]
    }

    private func waiting(_ now: Timestamp) -> [Explanation.Reason] {
        var reasons: [Explanation.Reason] = []
        let due = moment("d") ?? moment("c") ?? now
        if due > now { reasons.append(.notDue(at: due, in: due - now)) }
        if number("f") + number("x") > 0 {
            reasons.append(.retrying(attempt: number("n") + 1, of: limit, after: last?.failure))
        }
        for (name, kind) in [(".gate*", KindName?.none), (".gate", kind)] {
            // By bytes: a mark that joins the character before it may begin the message.
            let words =
                values[name]?.utf8.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
                .map { String(Substring($0)) } ?? []
            guard words.count == 3, let since = Self.exact(words[0]) else { continue }
            reasons.append(
                .kindPaused(
                    kind: kind,
                    since: Timestamp(microseconds: since),
                    by: words[1],
                    message: words[2]
                )
            )
        }
        if number(".alive") == 0 { reasons.append(.noWorker(lastLeft: moment(".left"))) }
        if due <= now, number(".before") > 0 {
            reasons.append(.behind(tasks: number(".before"), endedLastMinute: number(".ended")))
        }
        // An expiry that has passed is what to begin with; one to come is good to know beside the rest.
        let expires = number("n") == 0 ? moment("ex") : nil
        if let expires, expires <= now { return [.expires(at: expires, in: expires - now)] + reasons }
        if reasons.isEmpty { reasons = [.imminent(workers: number(".alive"))] }
        return reasons + (expires.map { [.expires(at: $0, in: $0 - now)] } ?? [])
    }

    private func held(_ now: Timestamp) -> [Explanation.Reason] {
        let worker = values["w"] ?? ""
        var reasons: [Explanation.Reason] = []
        if let until = moment(".expires"), until <= now {
            reasons.append(.leaseOver(worker: worker, since: until))
        } else {
            reasons.append(.running(worker: worker, until: moment(".expires") ?? now, renewals: number("rn")))
        }
        if let asked = moment("X") { reasons.append(.asked(toStopAt: asked, reason: values["cr"] ?? "")) }
        return reasons
    }
}
