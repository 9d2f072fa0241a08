import RedisWire
import Testing

@testable import Belay

/// One request, to the byte: what a client sends again when no answer came.
struct RawRequest: Sendable {
    let script: RedisScript
    let keyCount: Int
    let arguments: RedisArguments
}

extension TrackerFixture {
    func request<V: Verb>(_ verb: V) -> RawRequest {
        var call = ScriptCall(keyspace)
        verb.encode(into: &call)
        call.append(now)
        return RawRequest(script: V.script, keyCount: call.keyCount, arguments: call.arguments)
    }

    func send(_ request: RawRequest) async throws -> RedisReply {
        try await redis.evaluate(
            request.script,
            routedBy: keyspace.header,
            keyCount: request.keyCount,
            arguments: request.arguments
        )
    }

    /// Sends a verb without the tracker in between.
    @discardableResult
    func send<V: Verb>(_ verb: V) async throws -> V.Response {
        try verb.decode(ScriptReply(await send(request(verb)), of: V.script.name))
    }

    /// The answer's first word and all that follows, for what no Swift type tells.
    func reply<V: Verb>(_ verb: V) async throws -> [RedisReply] {
        try #require(try await send(request(verb)).elements)
    }

    /// Sends the same bytes twice: the second answer must equal the first, and the second call must change no key.
    @discardableResult
    func twice<V: Verb>(_ verb: V, sourceLocation: SourceLocation = #_sourceLocation) async throws -> V.Response {
        let request = request(verb)
        let first = try await send(request)
        let before = try await dump()
        let second = try await send(request)
        #expect(second == first, "the second answer differs", sourceLocation: sourceLocation)
        let after = try await dump()
        #expect(after.changes(since: before) == [], sourceLocation: sourceLocation)
        return try verb.decode(ScriptReply(first, of: V.script.name))
    }

    /// Sends a verb that must change nothing, but for the time that any script stores once a second.
    @discardableResult
    func unchanged<V: Verb>(_ verb: V, sourceLocation: SourceLocation = #_sourceLocation) async throws -> V.Response {
        var before = try await dump()
        let response = try await send(verb)
        let after = try await dump()
        before.setStoredTime(as: after)
        #expect(after.changes(since: before) == [], sourceLocation: sourceLocation)
        return response
    }
}

// MARK: - Renewals, as their caller is told of them

extension TrackerFixture {
    @discardableResult
    func send(_ verb: Renew) async throws -> [RenewOutcome] {
        let renewals: [Renewal] = try await send(verb)
        return renewals.map(\.outcome)
    }

    @discardableResult
    func twice(_ verb: Renew, sourceLocation: SourceLocation = #_sourceLocation) async throws -> [RenewOutcome] {
        let renewals: [Renewal] = try await twice(verb, sourceLocation: sourceLocation)
        return renewals.map(\.outcome)
    }

    @discardableResult
    func unchanged(_ verb: Renew, sourceLocation: SourceLocation = #_sourceLocation) async throws -> [RenewOutcome] {
        let renewals: [Renewal] = try await unchanged(verb, sourceLocation: sourceLocation)
        return renewals.map(\.outcome)
    }
}

// MARK: - Verbs that work on named tasks or on those of a tag

extension TrackerFixture {
    /// What became of each task.
    @discardableResult
    func send<V: Verb, Outcome>(_ verb: V) async throws -> [Outcome] where V.Response == TargetedResponse<Outcome> {
        let response: TargetedResponse<Outcome> = try await send(verb)
        return response.outcomes
    }

    @discardableResult
    func twice<V: Verb, Outcome>(
        _ verb: V,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> [Outcome] where V.Response == TargetedResponse<Outcome> {
        let request = request(verb)
        let first = try await send(request)
        let before = try await dump()
        let second = try await send(request)
        // A cancellation tells last how many were asked that had not been before, which a repeat cannot tell again.
        let parts = first.elements?.prefix(4)
        #expect(second.elements?.prefix(4) == parts, "the second answer differs", sourceLocation: sourceLocation)
        #expect(try await dump().changes(since: before) == [], sourceLocation: sourceLocation)
        return try verb.decode(ScriptReply(first, of: V.script.name)).outcomes
    }

    @discardableResult
    func unchanged<V: Verb, Outcome>(
        _ verb: V,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> [Outcome] where V.Response == TargetedResponse<Outcome> {
        let response: TargetedResponse<Outcome> = try await unchanged(verb, sourceLocation: sourceLocation)
        return response.outcomes
    }
}
