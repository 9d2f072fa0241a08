import Belay
import BelayTestKit
import RedisWire

extension PrivateRedisCluster {
    /// A cluster that tests share who kill nothing, each with a namespace of its own.
    static let shared = Task { try await PrivateRedisCluster.start() }

    /// Runs `body` with a tracker on this cluster, and closes the tracker.
    func withTracker(
        _ namespace: String,
        partitions: Int,
        _ change: (inout RedisConfiguration) -> Void = { _ in },
        _ body: (Tracker) async throws -> Void
    ) async throws {
        var configuration = try Tracker.Configuration(url: url, namespace: namespace)
        configuration.partitions = partitions
        change(&configuration.redis)
        let tracker = try Tracker(configuration: configuration, logger: .silent)
        do { try await body(tracker) } catch {
            await tracker.close()
            throw error
        }
        await tracker.close()
    }

    /// The slot of a partition.
    func slot(of partition: Int, in namespace: String) async throws -> Int {
        try await slot(ofKey: Keyspace(namespace: namespace, partition: partition).header)
    }

    /// The primaries that own the partitions, in the order of the partitions.
    func owners(of namespace: String, partitions: Int) async throws -> [Int] {
        var owners: [Int] = []
        for partition in 0..<partitions { owners.append(owner(ofSlot: try await slot(of: partition, in: namespace))) }
        return owners
    }

    /// How many scripts all primaries have run.
    func scriptsRun() async throws -> Int {
        var sum = 0
        for node in primaries {
            let info = try await node.send("INFO", "commandstats").string ?? ""
            for line in info.split(whereSeparator: \.isNewline) where line.hasPrefix("cmdstat_eval") {
                sum += line.split(separator: "calls=").last.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
            }
        }
        return sum
    }
}

extension Tracker {
    /// Ids that events of a name tell of, of all partitions.
    func ids(ofEvents name: TrackerEvent.Name) async throws -> [TaskID] {
        var ids: [TaskID] = []
        var start = EventStart.oldest
        while true {
            let page = try await events(from: start, limit: 500)
            ids += page.events.filter { $0.name == name }.compactMap(\.task)
            guard let position = page.position, !page.events.isEmpty else { return ids }
            start = .after(position)
        }
    }

    /// An id of a partition.
    static func id(_ name: String, in partition: Int, of count: Int) -> TaskID {
        let ids = (0...).lazy.map { TaskID(trusted: "\(name)-\($0)") }
        return ids.first { PartitionKey.partition(of: $0, among: count) == partition }!
    }
}

extension RedisReply {
    /// The number that stands in a line of `INFO` after a name and `:` or `=`; 0 when there is none.
    func number(of name: String) -> Int {
        for line in (string ?? "").split(whereSeparator: \.isNewline) where line.hasPrefix(name) {
            return Int(line.dropFirst(name.count + 1).prefix { $0.isNumber }) ?? 0
        }
        return 0
    }
}
