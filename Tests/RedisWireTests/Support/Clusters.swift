import BelayTestKit
import RedisWire

/// Scripts of the tests.
enum Scripts {
    static let count = RedisScript(name: "count", source: "return redis.call('INCR', KEYS[1])")
    static let read = RedisScript(name: "read", source: "return redis.call('GET', KEYS[1])")
    static let publish = RedisScript(name: "publish", source: "return redis.call('PUBLISH', ARGV[1], ARGV[2])")
    /// Counts in both keys.
    static let countTwice = RedisScript(
        name: "countTwice",
        source: "redis.call('INCR', KEYS[2]) return redis.call('INCR', KEYS[1])"
    )
}

extension PrivateRedisCluster {
    /// A cluster that the tests of this process share: each uses keys of its own, and kills nothing.
    static let shared = Task { try await PrivateRedisCluster.start() }

    /// Runs `body` with a client of the cluster and closes the client.
    func withClient<T>(
        _ change: (inout RedisConfiguration) -> Void = { _ in },
        _ body: (RedisClient) async throws -> T
    ) async throws -> T {
        var configuration = try RedisConfiguration(url: url)
        change(&configuration)
        return try await RedisClient(configuration: configuration).using(body)
    }

    /// How many connections to a node have this name.
    func connections(to node: Int, named name: String) async throws -> Int {
        let list = try await primaries[node].send("CLIENT", "LIST").string ?? ""
        return list.split(separator: "\n").count { $0.contains(" name=\(name) ") }
    }

    /// How often a node has answered with an error of this name.
    func errors(at node: Int, named name: String) async throws -> Int {
        try await count("errorstat_\(name):count=", at: node)
    }

    /// How often a node has executed a command.
    func calls(of command: String, at node: Int) async throws -> Int {
        try await count("cmdstat_\(command):calls=", at: node)
    }

    private func count(_ prefix: String, at node: Int) async throws -> Int {
        let info = try await primaries[node].send("INFO", "everything").string ?? ""
        let line = info.split(whereSeparator: \.isNewline).first { $0.hasPrefix(prefix) }
        return line.flatMap { Int($0.dropFirst(prefix.count).prefix { $0.isNumber }) } ?? 0
    }
}

extension RedisClient {
    /// Runs a script whose first keys are all that it is given.
    func run(_ script: RedisScript, _ keys: String..., arguments: String...) async throws(RedisError) -> RedisReply {
        var list = RedisArguments()
        for text in keys + arguments { list.append(text) }
        return try await evaluate(script, routedBy: keys[0], keyCount: keys.count, arguments: list)
    }
}
