import RedisWire

extension Measure {
    /// What this server can do at all, in the same run: figures of Belay are ratios to these on any machine.
    static let limits = Measure(name: "limits of the server") { bench, scale in
        let count = scale.tasks
        let value = [UInt8](repeating: 0x61, count: 100)
        let set = try await flood(bench, count: count) { client, i in
            var arguments = RedisArguments()
            arguments.append("limit:\(i)")
            arguments.append(bytes: value)
            _ = try await client.send(RedisCommand("SET", arguments))
        }
        let small = try await flood(bench, count: count) { client, i in
            try await client.run(reference, ["ref:\(i)", "ref:a", "ref:b"], ["1"])
        }
        let batch = 50
        let model = try await flood(bench, count: count / batch) { client, i in
            let ids = (0..<batch).map { "\(i * batch + $0)" }
            try await client.run(modelEnqueue, ["model"], [String(decoding: value, as: UTF8.self)] + ids)
            try await client.run(modelClaim, ["model"], ["\(batch)"])
            try await client.run(modelComplete, ["model"], ids)
        }
        return [
            Figure(name: "limit: SET of 100 bytes, 64 in flight", unit: "us", value: set, goal: "", limit: "1.6"),
            Figure(
                name: "limit: script of HSET + ZADD + ZREM, 64 in flight",
                unit: "us",
                value: small,
                goal: "",
                limit: "7.5"
            ),
            Figure(
                name: "limit: a model of a lifecycle, 50 tasks a script",
                unit: "us",
                value: model / Double(batch),
                goal: ""
            ),
        ]
    }

    /// Microseconds of the server for each of `count` calls, 64 of them in flight.
    private static func flood(
        _ bench: Bench,
        count: Int,
        _ call: @escaping @Sendable (RedisClient, Int) async throws -> Void
    ) async throws -> Double {
        let client = bench.client
        let before = try await bench.serverCost()
        try await withThrowingDiscardingTaskGroup { group in
            for lane in 0..<64 {
                group.addTask { for i in stride(from: lane, to: count, by: 64) { try await call(client, i) } }
            }
        }
        return try await (bench.serverCost() - before).cpu / Double(count)
    }
}

/// A script of a fixed cost: a record, and a move from one sorted set to another, so many times. Instruction counts are told
/// as multiples of it.
let reference = RedisScript(
    name: "reference",
    source: """
        for i = 1, tonumber(ARGV[1]) do
          redis.call('HSET', KEYS[1], 'state', 'ready', 'created', '1700000000000000', 'n', i)
          redis.call('ZADD', KEYS[2], i, KEYS[1] .. i)
          redis.call('ZREM', KEYS[3], KEYS[1] .. i)
        end
        return 'OK'
        """
)

// A record and three sorted sets, one command each, without locks that are looked at, history or events.
private let modelEnqueue = RedisScript(
    name: "model-enqueue",
    source: """
        for i = 2, #ARGV do
          redis.call('HSET', KEYS[1] .. ':' .. ARGV[i], 's', 'q', 'c', '1700000000000000',
            'p', string.sub(ARGV[1], 1, 64), 'p1', string.sub(ARGV[1], 65))
          redis.call('ZADD', KEYS[1] .. ':q', 1700000000000000, ARGV[i])
        end
        return 'OK'
        """
)
private let modelClaim = RedisScript(
    name: "model-claim",
    source: """
        local found = redis.call('ZRANGEBYSCORE', KEYS[1] .. ':q', '-inf', '+inf', 'LIMIT', 0, ARGV[1])
        local reply = {}
        for i = 1, #found do
          local key = KEYS[1] .. ':' .. found[i]
          reply[i] = redis.call('HMGET', key, 's', 'p', 'p1')
          redis.call('HSET', key, 's', 'r', 'g', '1700000000000000', 't', '0123456789abcdef')
          redis.call('ZREM', KEYS[1] .. ':q', found[i])
          redis.call('ZADD', KEYS[1] .. ':r', 1700000000000000, found[i])
        end
        return reply
        """
)
private let modelComplete = RedisScript(
    name: "model-complete",
    source: """
        for i = 1, #ARGV do
          local key = KEYS[1] .. ':' .. ARGV[i]
          redis.call('HGET', key, 't')
          redis.call('HSET', key, 's', 's')
          redis.call('ZREM', KEYS[1] .. ':r', ARGV[i])
          redis.call('ZADD', KEYS[1] .. ':s', 1700000000000000, ARGV[i])
        end
        return 'OK'
        """
)

extension RedisClient {
    /// Runs a script that is not Belay's.
    func run(_ script: RedisScript, _ keys: [String], _ values: [String]) async throws {
        var arguments = RedisArguments()
        for text in keys + values { arguments.append(text) }
        _ = try await evaluate(script, routedBy: keys[0], keyCount: keys.count, arguments: arguments)
    }
}
