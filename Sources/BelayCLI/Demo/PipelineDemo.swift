import Belay
import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The demo of a pipeline: killed in the middle, resumed, run again, run again after a change; then the verdict.
struct PipelineDemo: Sendable {
    /// When a task succeeded last, and how many attempts it took: both stay when it is not run again.
    struct Finished: Hashable, Sendable {
        var attempts: Int
        var at: Timestamp
    }

    let session: Session
    let files: [String]
    let folder: String
    let settings: DemoRun.Settings
    let children = Children()
    private let processes: DemoProcesses
    private let events: DemoEvents

    init(session: Session, files: [String], folder: String, settings: DemoRun.Settings) throws {
        self.session = session
        self.files = files
        self.folder = folder
        self.settings = settings
        processes = try DemoProcesses(session: session, children: children)
        events = DemoEvents(session.tracker)
    }

    /// The file that is changed.
    private var notes: String { folder + "/notes.txt" }
    /// A file that there is not: its scan fails, and does not keep the others from their report.
    private var missing: String { folder + "/missing.txt" }
    private var tracker: Tracker { session.tracker }

    /// Runs everything; throws when the proof fails.
    func run() async throws {
        try "first\n".write(toFile: notes, atomically: true, encoding: .utf8)
        let progress = DemoProgress(session.output, total: 3 * (files.count + 1) + 2)
        let pace = settings.floor == .zero ? "no floor" : "at least \(Span.text(settings.floor)) a task"
        progress.say("namespace \(tracker.namespace), \(files.count + 2) files, \(pace)")
        try await tracker.open()
        let proof = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    while true {
                        try await events.read()
                        try await Task.sleep(for: .milliseconds(100))
                    }
                } catch { guard Task.isCancelled else { throw error } }
            }
            let proof = try await runs(progress)
            group.cancelAll()
            try await group.waitForAll()
            return proof
        }
        progress.end()
        try await events.read()
        let stats = try await tracker.stats()
        try proof.show(session.output, events.replay, stats)
    }

    private func runs(_ progress: DemoProgress) async throws -> PipelineProof {
        var proof = PipelineProof()
        // Killed in the middle.
        var listed = list()
        try write(listed)
        let atKill = try await phase(progress, killed: true).finished
        proof.finishedAtKill = atKill.count
        progress.say("SIGKILL to the driver and \(settings.workers) workers; \(atKill.count) tasks had succeeded")
        // Resumed: what the killed workers held is queued again, without waiting for their leases.
        let runner = try PipelineRunner(tracker, FilePipeline.pipeline(), inputs: [:])
        let recovered = try await runner.recover().changed
        progress.say("\(recovered) tasks that they held are queued again")
        let first = try await phase(progress)
        proof.first = first.report
        proof.repeated = atKill.count { first.finished[$0.key] != $0.value }
        let attempts = try await self.attempts(of: Array(first.finished.keys))
        proof.attempts = attempts.reduce(0) { $0 + $1.count }
        proof.doubled = attempts.count { runs in runs.count { $0.outcome == .succeeded } != 1 }
        progress.say("resumed to its end: \(first.finished.count) succeeded, \(proof.repeated) finished ones repeated")
        try await verify(&proof)
        // Again.
        var changed = try relist(&listed)
        let second = try await phase(progress)
        proof.second = .init(second, after: first, changed: changed)
        progress.say("second run: \(second.report?.reused ?? 0) reused, \(proof.second.ran) run")
        // Again with a change.
        try "second\n".write(toFile: notes, atomically: true, encoding: .utf8)
        changed = try relist(&listed)
        let third = try await phase(progress)
        proof.third = .init(third, after: second, changed: changed)
        progress.say("one file changed: \(third.report?.reused ?? 0) reused, \(proof.third.ran) run")
        return proof
    }

    // MARK: Inputs

    private func list() -> [FilePipeline.Listed] {
        (files + [notes]).compactMap { FilePipeline.Listed($0) } + [FilePipeline.Listed(missing: missing)]
    }

    private func write(_ files: [FilePipeline.Listed]) throws {
        try JSONEncoder().encode(files).write(to: URL(filePath: folder + "/inputs.json"))
    }

    /// Lists the files again.
    /// - Returns: How many are not what they were.
    private func relist(_ files: inout [FilePipeline.Listed]) throws -> Int {
        let before = Set(files)
        files = list()
        try write(files)
        return Set(files).subtracting(before).count
    }

    // MARK: Phases

    /// What the tracker holds after a phase.
    struct Phase: Sendable {
        var report: PipelineReport?
        var finished: [TaskID: Finished]
    }

    /// Runs driver and workers until the driver ends, or until all of them are killed in the middle.
    private func phase(_ progress: DemoProgress, killed: Bool = false) async throws -> Phase {
        let running = Children()
        let report = try await withThrowingTaskGroup(of: PipelineReport?.self) { group in
            let words = ["--slots", "\(settings.slots)", "--floor", "\(settings.floor.microseconds)us"]
            for number in 1...settings.workers {
                group.addTask {
                    try await processes.run("worker \(number)", ["demo", "pipeline-worker"] + words, others: running)
                    return nil
                }
            }
            group.addTask {
                let words = ["demo", "pipeline-driver", folder + "/inputs.json", "--json"]
                let output = try await processes.run("driver", words, others: running)
                return try output.map { try JSONDecoder().decode(PipelineReport.self, from: Data($0)) }
            }
            group.addTask {
                do { try await watch(progress, untilKill: killed, running) } catch {
                    guard Task.isCancelled else { throw error }
                }
                return nil
            }
            var report: PipelineReport?
            while let ended = try await group.next() {
                guard let ended else { continue }
                report = ended
                running.stop(SIGTERM)
                if await !running.waitForAll(atMost: .seconds(8)) { running.kill() }
                group.cancelAll()
            }
            return report
        }
        if killed, report != nil { throw Failure(.failed, "everything had ended before it could be killed") }
        if !killed, report == nil { throw Failure(.failed, "the driver ended without a report") }
        return Phase(report: report, finished: try await finished())
    }

    /// All files are scanned, and a third of what follows is done, as far as that is more than the workers do at once.
    private var middle: Int {
        files.count + max(0, 2 * files.count - settings.workers * settings.slots) / 3
    }

    /// Shows how far it is; kills everything in the middle when asked to.
    private func watch(_ progress: DemoProgress, untilKill: Bool, _ running: Children) async throws {
        while !Task.isCancelled {
            var all = TrackerStats.Kind(kind: "all")
            for kind in try await tracker.stats().kinds {
                all.ready += kind.ready
                all.scheduled += kind.scheduled
                all.running += kind.running
                all.succeeded += kind.succeeded
                all.exhausted += kind.exhausted
            }
            progress.update(all)
            if untilKill, all.succeeded > middle, all.running > 0 { return running.kill() }
            do { try await Task.sleep(for: .milliseconds(20)) } catch { return }
        }
    }

    /// All tasks that have succeeded.
    private func finished() async throws -> [TaskID: Finished] {
        var finished: [TaskID: Finished] = [:]
        var cursor: String?
        repeat {
            let page = try await tracker.find(states: [.succeeded], limit: 500, cursor: cursor)
            for task in page.tasks { finished[task.id] = Finished(attempts: task.attempts, at: task.updated) }
            cursor = page.cursor
        } while cursor != nil
        return finished
    }

    /// The attempts of each task, some at once.
    private func attempts(of ids: [TaskID]) async throws -> [[Attempt]] {
        var all: [[Attempt]] = []
        for start in stride(from: 0, to: ids.count, by: 64) {
            try await withThrowingTaskGroup(of: [Attempt].self) { group in
                for id in ids[start..<min(start + 64, ids.count)] {
                    group.addTask { try await tracker.attempts(of: id) ?? [] }
                }
                for try await attempts in group { all.append(attempts) }
            }
        }
        return all
    }

    // MARK: Second opinions

    /// Compares the checksums with those of the system's own tool, and the report with what follows from them.
    private func verify(_ proof: inout PipelineProof) async throws {
        let pipeline = try FilePipeline.pipeline()
        let sums: [FilePipeline.Sum] = try await products(of: pipeline, "checksum")
        let reports: [FilePipeline.Report] = try await products(of: pipeline, "report")
        let others = try await SumTool.sums(of: sums.map(\.path))
        proof.verified = sums.count { others[$0.path] == $0.sha256 }
        proof.wrong = sums.filter { others[$0.path] != $0.sha256 && others[$0.path] != nil }.map(\.path)
        proof.report = reports.first
        proof.isReportRight = reports.count == 1 && reports[0].digest == FilePipeline.report(sums, []).digest
    }

    private func products<T: Decodable>(of pipeline: Pipeline, _ segment: String) async throws -> [T] {
        guard let instance = pipeline.instance(of: segment) else { return [] }
        var products: [T] = []
        var cursor: String?
        repeat {
            let page = try await tracker.tasks(ofSegment: instance, .done, cursor: cursor)
            if !page.tasks.isEmpty {
                for record in try await tracker.get(page.tasks.map(\.id)) {
                    if let result = record?.result { products.append(try result.decoded()) }
                }
            }
            cursor = page.cursor
        } while cursor != nil
        return products
    }
}

/// The events of a tracker, counted as they come.
private final class DemoEvents: Sendable {
    private let tracker: Tracker
    private let state = Mutex((replay: EventReplay(), start: EventStart.oldest))

    init(_ tracker: Tracker) { self.tracker = tracker }

    /// What the events that were read come to.
    var replay: EventReplay { state.withLock(\.replay) }

    /// Reads what has come; one caller at a time.
    func read() async throws {
        while true {
            let page = try await tracker.events(from: state.withLock(\.start))
            state.withLock { state in
                state.replay.apply(page)
                if let position = page.position { state.start = .after(position) }
            }
            if page.events.isEmpty { return }
        }
    }
}
