import Belay

/// How many tasks are where, asked anew for every scrape.
struct TrackerGauges: Sendable {
    /// Kinds of a namespace that have numbers of their own; those behind, by name, are summed up as `(other)`.
    static let kindLimit = 200
    private static let other = "(other)"

    private struct Row {
        var namespace: String
        var counts: [(state: String, tasks: Int)]
        var kind: String
        var oldest: Duration?
    }

    /// Asks every tracker and writes what it says. A tracker that does not answer in time is down, and has no numbers.
    static func write(_ trackers: Trackers, limit: Duration, into text: inout Exposition) async {
        var all: [(namespace: String, stats: TrackerStats?)] = []
        var alive: [(namespace: String, workers: Int)] = []
        for namespace in trackers.namespaces {
            let answer = await ask(trackers, namespace, limit)
            all.append((namespace, answer?.stats))
            if let answer { alive.append((namespace, answer.alive)) }
        }
        text.family("belay_up", .gauge, "Whether the tracker answers.")
        for (namespace, stats) in all { text.sample("belay_up", labels(namespace), stats == nil ? 0 : 1) }
        text.family("belay_workers", .gauge, "Workers that claimed within the last day.")
        for case (let namespace, let stats?) in all {
            text.sample("belay_workers", labels(namespace), Double(stats.workers))
        }
        text.family("belay_workers_alive", .gauge, "Workers whose heartbeat is not overdue, among the 500 seen last.")
        for (namespace, workers) in alive { text.sample("belay_workers_alive", labels(namespace), Double(workers)) }
        let rows = all.flatMap { namespace, stats in stats.map { kindRows(namespace, $0.kinds) } ?? [] }
        text.family("belay_tasks", .gauge, "Tasks by state; ready ones are due, scheduled ones not yet.")
        for row in rows {
            for (state, tasks) in row.counts {
                let labels = Exposition.labels([("namespace", row.namespace), ("kind", row.kind), ("state", state)])
                text.sample("belay_tasks", labels, Double(tasks))
            }
        }
        text.family("belay_oldest_ready_age_seconds", .gauge, "How long the oldest due task has been waiting.")
        for row in rows {
            let labels = Exposition.labels([("namespace", row.namespace), ("kind", row.kind)])
            text.sample("belay_oldest_ready_age_seconds", labels, row.oldest?.seconds ?? 0)
        }
    }

    private static func labels(_ namespace: String) -> String { Exposition.labels([("namespace", namespace)]) }

    private typealias Answer = (stats: TrackerStats, alive: Int)

    private static func ask(_ trackers: Trackers, _ namespace: String, _ limit: Duration) async -> Answer? {
        await withTaskGroup(of: Answer?.self) { group in
            group.addTask {
                guard let tracker = try? trackers.tracker(namespace), let stats = try? await tracker.stats(),
                    let workers = try? await tracker.workers(limit: Limits.batch)
                else { return nil }
                return (stats, workers.count { $0.isAlive == true })
            }
            group.addTask {
                try? await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }

    private static func kindRows(_ namespace: String, _ kinds: [TrackerStats.Kind]) -> [Row] {
        // The kind of the readiness probe comes and goes.
        let rows = kinds.filter { !$0.kind.description.hasPrefix(ReadinessProbe.kindPrefix) }.map { kind in
            Row(
                namespace: namespace,
                counts: [
                    ("ready", kind.ready), ("scheduled", kind.scheduled), ("blocked", kind.blocked),
                    ("running", kind.running), ("paused", kind.paused), ("succeeded", kind.succeeded),
                    ("exhausted", kind.exhausted),
                    ("ignored", kind.ignored), ("cancelled", kind.cancelled),
                ],
                kind: kind.kind.description,
                oldest: kind.oldestReadyAge
            )
        }
        guard rows.count > kindLimit, var rest = rows.last else { return rows }
        rest.kind = other
        for row in rows[kindLimit..<(rows.count - 1)] {
            for place in rest.counts.indices { rest.counts[place].tasks += row.counts[place].tasks }
            rest.oldest = [rest.oldest, row.oldest].compactMap(\.self).max()
        }
        return rows.prefix(kindLimit) + [rest]
    }
}
