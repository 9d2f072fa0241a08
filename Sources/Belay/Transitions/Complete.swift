import BelayScripts
package import RedisWire

/// Ends held tasks with success.
package struct Complete: Verb {
    package static let script = RedisScript(.complete)
    package var items: [(handle: ClaimHandle, result: Body)]
    package var payloadLimit: Int

    package func validate() throws(TrackerError) {
        try HolderBatch.check(items.count)
        for item in items {
            try Enqueue.check(item.result, limit: payloadLimit, what: "result of task “\(item.handle.id)”")
        }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys(items.lazy.map(\.handle.id))
        for item in items {
            call.append(item.handle)
            call.append(bytes: item.result.bytes)
            call.append(item.result.contentType == Body.json ? "" : item.result.contentType)
        }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [WriteOutcome] {
        if reply.word == "TOO_LARGE" {
            let item = items[try reply.place(reply.element(2), of: items.count)]
            throw TrackerError(
                .tooLarge,
                "result of task “\(item.handle.id)” has \(item.result.bytes.count) bytes; allowed: \(try reply.int(3))"
            )
        }
        try reply.requireOK()
        var outcomes = [WriteOutcome](repeating: .accepted, count: items.count)
        for exception in try reply.exceptions(within: items.count) {
            switch exception.word {
            case "STALE": outcomes[exception.place] = .stale
            case "GONE": outcomes[exception.place] = .gone
            default: throw reply.malformed("unknown answer “\(exception.word)”")
            }
        }
        return outcomes
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [WriteOutcome] {
        try await tracker.split(items, by: { $0.handle.id }) { part, some throws(TrackerError) in
            try await part.perform(Complete(items: some, payloadLimit: payloadLimit))
        }
    }
}
