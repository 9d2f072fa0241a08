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
    /// Whether the token was made for this call, which then cannot be a repeat.
    package var isFresh = false

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

extension ClaimMany {
    /// Asks one partition after the other for what is missing. A worker's loop is content with what the first one has that has
    /// any, because it comes again at once while it has room; one that was idle and was not woken asks all at the same time, none
    /// for more than its part, and stands in line in those that have nothing.
    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> Response {
        let all = tracker.parts.count
        let start = PartitionKey.partition(of: token, among: all)
        let places = (start..<start + all).map { $0 % all }
        if !isFresh, let again = try await grant(on: tracker, in: places) { return again }
        if wait != nil { return try await spreadOfLoop(over: tracker, places) }
        var sum = Spread()
        for place in places where sum.claims.count < count {
            sum.add(await ask([place], of: tracker, missing: count - sum.claims.count))
        }
        return try sum.response()
    }

    private func spreadOfLoop(
        over tracker: PartitionedBackend,
        _ fixed: [Int]
    ) async throws(TrackerError) -> Response {
        let (places, isWoken) = isFresh ? tracker.withPlaces { $0.order(for: worker) } : (fixed, false)
        var (left, sum) = (places[...], Spread())
        while !left.isEmpty, sum.claims.isEmpty {
            let some = left.prefix(mayBeWaiting && !isWoken ? count : 1)
            left = left.dropFirst(some.count)
            let answers = await ask(Array(some), of: tracker, missing: count)
            tracker.withPlaces { places in
                for (place, answer) in zip(some, answers) {
                    places.asked(worker, in: place, found: (try? answer.get()).map { !$0.claims.isEmpty })
                }
            }
            sum.add(answers)
        }
        // Who has no room left must not be woken in the stead of others.
        if sum.claims.count >= count {
            let lines = tracker.withPlaces { $0.leave(worker) }
            if !lines.isEmpty {
                let leave = Leave(worker: worker, kinds: kinds)
                _ = await tracker.results(lines) { _, part throws(TrackerError) in try await part.perform(leave) }
            }
        }
        return try sum.response()
    }

    /// What an earlier call with this token was given; nil when there was none. Without kinds nothing is taken.
    private func grant(
        on tracker: PartitionedBackend,
        in places: [Int]
    ) async throws(TrackerError) -> Response? {
        let answers = try await tracker.each(places) { _, part throws(TrackerError) in
            var verb = self
            verb.kinds = []
            verb.estimatedNow = nil
            return try await part.perform(verb)
        }
        guard answers.contains(where: { !$0.claims.isEmpty }) else { return nil }
        var sum = Spread()
        sum.add(answers.map { .success($0) })
        return try sum.response()
    }

    /// Asks some partitions at the same time, each for its part of what is missing.
    private func ask(
        _ places: [Int],
        of tracker: PartitionedBackend,
        missing: Int
    ) async -> [Swift.Result<Response, TrackerError>] {
        let (part, rest) = missing.quotientAndRemainder(dividingBy: places.count)
        let standing = tracker.withPlaces { all in places.map { all.stands(worker, in: $0) } }
        return await tracker.results(places) { place, backend throws(TrackerError) in
            let number = places.firstIndex(of: place) ?? 0
            var verb = self
            verb.count = part + (number < rest ? 1 : 0)
            verb.mayBeWaiting = standing[number]
            verb.estimatedNow = backend.estimatedNow
            return try await backend.perform(verb)
        }
    }

    /// What partitions gave together.
    private struct Spread {
        var claims: [Claim] = []
        private var nextDue: Timestamp?
        private var now = Timestamp(microseconds: 0)
        private var failure: TrackerError?

        mutating func add(_ answers: [Swift.Result<Response, TrackerError>]) {
            for answer in answers {
                switch answer {
                case .success(let part):
                    claims += part.claims
                    nextDue = [nextDue, part.nextDue].compactMap(\.self).min()
                    now = max(now, part.now)
                case .failure(let error): failure = failure ?? error
                }
            }
        }

        /// A partition that failed is told of when the others gave nothing: what they gave is held already.
        func response() throws(TrackerError) -> Response {
            if let failure, claims.isEmpty { throw failure }
            return Response(claims: claims, nextDue: claims.isEmpty ? nextDue : nil, now: now)
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
