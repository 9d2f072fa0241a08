import BelayScripts
package import RedisWire

/// Takes up to n due tasks of several kinds.
package struct ClaimMany: Verb {
    package struct Response: Sendable {
        package var claims: [Claim]
        /// When the next task of these kinds is due; nil when none waits, or when something was claimed.
        package var nextDue: Timestamp?
        package var now: Timestamp
    }

    package static let script = RedisScript(.claim)
    package var token: String
    package var worker: WorkerName
    package var count: Int
    package var kinds: [KindName]
    package var lease: Duration?
    /// Which of the worker's claim loops asks: the last claim of each is remembered, so that a repeat gets the same.
    package var lane = 0
    /// How long to stand in line for a wake-up when nothing is due; nil not to.
    package var wait: Duration?
    /// Whether the worker may still stand in line.
    package var mayBeWaiting = false
    package var order = ClaimOrder.priority
    package var estimatedNow: Timestamp?

    package func validate() throws(TrackerError) {
        guard (1...Limits.batch).contains(count) else {
            throw .invalid("number of tasks to claim", count, allowed: "1 to \(Limits.batch)")
        }
        guard (1...Limits.kindsPerClaim).contains(kinds.count) else {
            throw .invalid("number of kinds", kinds.count, allowed: "1 to \(Limits.kindsPerClaim)")
        }
        try Self.check(lease: lease)
        try Names.checkWord("token", token, limit: Limits.tokenBytes)
        guard (0..<1000).contains(lane) else { throw .invalid("lane", lane, allowed: "0 to 999") }
    }

    static func check(lease: Duration?) throws(TrackerError) {
        if let lease, !Limits.lease.contains(lease) { throw .invalid("lease", lease, allowed: "50 ms to 24 h") }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(token)
        call.append(worker.description)
        call.append(count)
        call.append(lease)
        call.append(lane)
        call.append(wait)
        call.append((mayBeWaiting ? "w" : "") + (order == .due ? "d" : ""))
        if let estimatedNow { call.append(estimatedNow.microseconds) } else { call.append("") }
        for kind in kinds { call.append(kind.description) }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> Response {
        let now = try reply.moment()
        switch reply.word {
        case "EMPTY":
            return Response(claims: [], nextDue: reply.optionalMoment(try reply.element(2)), now: now)
        case "OK":
            var claims: [Claim] = []
            let parts = try reply.list(2)
            guard parts.count.isMultiple(of: 5) else { throw reply.malformed("claims of \(parts.count) parts") }
            claims.reserveCapacity(parts.count / 5)
            for start in stride(from: 0, to: parts.count, by: 5) {
                claims.append(try Claim(parts[start..<start + 5], token: token, worker: worker, of: reply))
            }
            return Response(claims: claims, nextDue: nil, now: now)
        default: throw reply.unexpected()
        }
    }
}

extension Claim {
    /// `id kind "attempt fence expires begun created due failures crashes" payload rest`, rest "" or
    /// `[content-type trace data data-type deadline soft-deadline]`
    init(_ parts: ArraySlice<RedisReply>, token: String, worker: WorkerName, of reply: ScriptReply) throws(TrackerError)
    {
        let first = parts.startIndex
        let numbers = try reply.numbers(parts[first + 2], count: 8)
        let rest = try parts[first + 4].elements.map { rest throws(TrackerError) in
            guard rest.count == 6 else { throw reply.malformed("a claim with \(rest.count) further parts") }
            return (
                contentType: try reply.text(rest[0]), trace: try reply.text(rest[1]), data: try reply.bytes(rest[2]),
                dataType: try reply.text(rest[3]), deadline: reply.optionalMoment(rest[4]),
                softDeadline: reply.optionalMoment(rest[5])
            )
        }
        func body(_ bytes: [UInt8], _ contentType: String?) -> Body {
            Body(bytes: bytes, contentType: contentType.flatMap { $0.isEmpty ? nil : $0 } ?? Body.json)
        }
        let expires = Timestamp(microseconds: numbers[2])
        let began = Timestamp(microseconds: numbers[3])
        self.init(
            id: TaskID(trusted: try reply.text(parts[first])),
            kind: KindName(trusted: try reply.text(parts[first + 1])),
            attempt: numbers[0],
            token: token,
            fence: numbers[1],
            expires: expires,
            lease: expires - began,
            worker: worker,
            payload: body(try reply.bytes(parts[first + 3]), rest?.contentType),
            created: Timestamp(microseconds: numbers[4]),
            due: Timestamp(microseconds: numbers[5]),
            claimed: began,
            failures: numbers[6],
            crashes: numbers[7],
            data: body(rest?.data ?? [], rest?.dataType),
            trace: rest.map { $0.trace.isEmpty ? [:] : TraceText.decode($0.trace) } ?? [:],
            deadline: rest?.deadline,
            softDeadline: rest?.softDeadline
        )
    }
}
