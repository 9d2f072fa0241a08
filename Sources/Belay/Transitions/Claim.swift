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
            for item in try reply.list(2) { claims.append(try Claim(item, token: token, worker: worker, of: reply)) }
            return Response(claims: claims, nextDue: nil, now: now)
        default: throw reply.unexpected()
        }
    }
}

extension Claim {
    /// `[id kind attempt fence expires begun payload created due failures crashes content-type trace data
    /// data-type (deadline soft-deadline)]`
    init(_ item: RedisReply, token: String, worker: WorkerName, of reply: ScriptReply) throws(TrackerError) {
        let parts = try reply.items(item)
        guard parts.count == 15 || parts.count == 17 else { throw reply.malformed("a claim of \(parts.count) parts") }
        let expires = Timestamp(microseconds: try reply.number(parts[4]))
        let began = Timestamp(microseconds: try reply.number(parts[5]))
        let contentType = try reply.text(parts[11])
        let trace = try reply.text(parts[12])
        let dataType = try reply.text(parts[14])
        self.init(
            id: TaskID(trusted: try reply.text(parts[0])),
            kind: KindName(trusted: try reply.text(parts[1])),
            attempt: try reply.number(parts[2]),
            token: token,
            fence: try reply.number(parts[3]),
            expires: expires,
            lease: expires - began,
            worker: worker,
            payload: Body(bytes: try reply.bytes(parts[6]), contentType: contentType.isEmpty ? Body.json : contentType),
            created: Timestamp(microseconds: try reply.number(parts[7])),
            due: Timestamp(microseconds: try reply.number(parts[8])),
            claimed: began,
            failures: try reply.number(parts[9]),
            crashes: try reply.number(parts[10]),
            data: Body(bytes: try reply.bytes(parts[13]), contentType: dataType.isEmpty ? Body.json : dataType),
            trace: trace.isEmpty ? [:] : TraceText.decode(trace),
            deadline: parts.count > 15 ? reply.optionalMoment(parts[15]) : nil,
            softDeadline: parts.count > 15 ? reply.optionalMoment(parts[16]) : nil
        )
    }
}
