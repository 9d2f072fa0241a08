import BelayScripts
package import RedisWire

/// Counts by tag and state.
package struct Tags: Verb {
    package static let script = RedisScript(.tags)
    package var tags: [TaskTag]

    package init(tags: [TaskTag]) { self.tags = tags }

    package func validate() throws(TrackerError) {
        guard (1...Limits.tagsPerQuery).contains(tags.count) else {
            throw .invalid("number of tags", tags.count, allowed: "1 to \(Limits.tagsPerQuery)")
        }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        for tag in tags { call.append(tag.description) }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [TagCounts] {
        try reply.requireOK()
        let answers = try reply.list(2)
        guard answers.count == tags.count else {
            throw reply.malformed("\(answers.count) answers for \(tags.count) tags")
        }
        var counts: [TagCounts] = []
        for (tag, answer) in zip(tags, answers) {
            var numbers: [Int] = []
            for item in try reply.items(answer) { numbers.append(try reply.number(item)) }
            guard numbers.count == 8 else { throw reply.malformed("counts of \(numbers.count) parts") }
            var one = TagCounts(tag: tag)
            (one.ready, one.running, one.paused, one.succeeded) = (numbers[0], numbers[1], numbers[2], numbers[3])
            (one.exhausted, one.cancelled, one.ignored, one.blocked) = (numbers[4], numbers[5], numbers[6], numbers[7])
            counts.append(one)
        }
        return counts
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [TagCounts] {
        let answers = try await tracker.all(self)
        return answers.dropFirst().reduce(answers[0]) { sums, shares in
            zip(sums, shares).map { sum, share in
                var sum = sum
                sum.ready += share.ready
                sum.running += share.running
                sum.paused += share.paused
                sum.succeeded += share.succeeded
                sum.exhausted += share.exhausted
                sum.cancelled += share.cancelled
                sum.ignored += share.ignored
                sum.blocked += share.blocked
                return sum
            }
        }
    }
}
