import Belay

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

/// The demo from the first task to the verdict.
struct DemoRun: Sendable {
    /// How much at once, and how fast.
    struct Settings: Sendable {
        var workers: Int
        var slots: Int
        var floor: Duration
    }

    /// What the killed worker left behind.
    struct Crash: Sendable {
        var process: pid_t
        var held: [TaskID]
        var at: Timestamp
        /// How long it took until all of it had been taken back, by the server's clock.
        var recovery: Duration?
    }

    let session: Session
    let files: [String]
    let folder: String
    let settings: Settings
    let children = Children()
    private let processes: DemoProcesses

    init(session: Session, files: [String], folder: String, settings: Settings) throws {
        self.session = session
        self.files = files
        self.folder = folder
        self.settings = settings
        processes = try DemoProcesses(session: session, children: children)
        // A folder in place of a file: nobody can read it, not even root.
        guard mkdir(unreadable, 0o700) == 0 else {
            throw Failure(.cannotCreate, "\(unreadable): \(String(cString: strerror(errno)))")
        }
    }

    /// The input that cannot be read.
    var unreadable: String { folder + "/unreadable.bin" }

    func removeFolder() { try? FileManager.default.removeItem(atPath: folder) }

    /// Runs everything; throws when the proof fails.
    func run() async throws {
        let progress = DemoProgress(session.output, total: files.count + 1)
        let lease = Span.text(Checksum.policy.lease)
        let pace = settings.floor == .zero ? "no floor" : "at least \(Span.text(settings.floor)) a file"
        progress.say("namespace \(session.tracker.namespace), lease \(lease), \(pace)")
        let stamps = files.map(FileTree.stamp)
        let tasks = try await enqueue(progress)
        let began = ContinuousClock.now
        let crash = try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 1...settings.workers {
                let floor = "\(settings.floor.microseconds)us"
                let words = ["demo", "worker", "--slots", "\(settings.slots)", "--floor", floor]
                group.addTask { try await processes.run("worker \(number)", words) }
            }
            group.addTask {
                try await processes.run("reaper", ["reap", "--interval", "50ms", "--log-level", "warning"])
            }
            let crash = try await watch(progress)
            children.stop(SIGTERM)
            if await !children.waitForAll(atMost: .seconds(8)) { children.kill() }
            try await group.waitForAll()
            return crash
        }
        let report = try await DemoReport(session: session, tasks: tasks, stamps: stamps, crash: crash, began: began)
        try report.show()
    }

    private func enqueue(_ progress: DemoProgress) async throws -> [(id: TaskID, path: String)] {
        let began = ContinuousClock.now
        // The unreadable one in the middle, so that it is tried while the others are worked on.
        var inputs = files
        inputs.insert(unreadable, at: inputs.count / 2)
        var tasks: [(id: TaskID, path: String)] = []
        for start in stride(from: 0, to: inputs.count, by: 250) {
            let batch = Array(inputs[start..<min(start + 250, inputs.count)])
            let payloads = batch.map { Checksum.Input(path: $0) }
            let outcomes = try await session.tracker.enqueue(Checksum.kind, contentsOf: payloads)
            for (outcome, path) in zip(outcomes, batch) { tasks.append((outcome.id, path)) }
        }
        progress.say("\(tasks.count) tasks enqueued in \(Span.text(began.duration(to: .now)))")
        return tasks
    }

    // MARK: The crash

    /// Follows the work until everything has ended; kills a worker on the way.
    private func watch(_ progress: DemoProgress) async throws -> Crash? {
        var crash: Crash?
        var (lastDone, lastMove) = (-1, ContinuousClock.now)
        while true {
            let stats = try await session.tracker.stats()
            guard let counts = stats.kinds.first else { throw Failure(.bug, "the kind is gone") }
            progress.update(counts)
            let done = counts.succeeded + counts.exhausted + counts.cancelled
            if done == counts.total, counts.total > 0 { break }
            if done != lastDone { (lastDone, lastMove) = (done, .now) }
            guard lastMove.duration(to: .now) < .seconds(120) else {
                throw Failure(.failed, "nothing has moved for two minutes; \(counts.total - done) tasks are left")
            }
            if crash == nil, done >= min(counts.total / 4, 200), let found = try await killOne() {
                crash = found
                progress.say("SIGKILL to worker process \(found.process), which held \(found.held.count) tasks")
            }
            if let found = crash, found.recovery == nil, let recovery = try await recovery(of: found) {
                crash?.recovery = recovery
                progress.say("its \(found.held.count) tasks were taken back \(Span.text(recovery)) later")
            }
            try await Task.sleep(for: .milliseconds(crash == nil ? 20 : 100))
        }
        if let found = crash, found.recovery == nil { crash?.recovery = try await recovery(of: found) }
        progress.end()
        return crash
    }

    /// Kills a worker that holds tasks. It is stopped first, so that what it holds is certain when it dies.
    private func killOne() async throws -> Crash? {
        let running = try await session.tracker.find(kinds: [Checksum.kind.name], states: [.running]).tasks
        guard let name = running.compactMap(\.worker).first, let process = try WorkerName(name).pid, process != getpid()
        else {
            return nil
        }
        kill(process, SIGSTOP)
        // What it had sent before is answered meanwhile.
        try await Task.sleep(for: .milliseconds(20))
        let held = try await session.tracker.find(kinds: [Checksum.kind.name], states: [.running]).tasks
            .filter { $0.worker == name }.map(\.id)
        guard !held.isEmpty else {
            kill(process, SIGCONT)
            return nil
        }
        kill(process, SIGKILL)
        return Crash(process: process, held: held, at: try await session.tracker.stats().now)
    }

    /// How long after the kill the last of its tasks was taken back; nil while one is not.
    private func recovery(of crash: Crash) async throws -> Duration? {
        var last = crash.at
        for id in crash.held {
            guard let runs = try await session.tracker.attempts(of: id),
                let ended = runs.first(where: { $0.outcome == .crashed })?.ended
            else { return nil }
            last = max(last, ended)
        }
        return last - crash.at
    }
}
