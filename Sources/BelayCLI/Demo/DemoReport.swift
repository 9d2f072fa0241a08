import Belay

/// What the demo proves: every task is there, was done once, and has the right result.
struct DemoReport {
    private struct Verdict {
        var lost: [String] = []
        var doubled: [String] = []
        var wrong: [String] = []
        var unreadable: [String] = []
        var changed = 0
        var verified = 0
    }

    private let output: Output
    private let elapsed: Duration
    private let crash: DemoRun.Crash?
    private let records: [TaskRecord]
    private let attempts: [[Attempt]]
    private var verdict = Verdict()
    private var unreadableTask: TaskRecord?

    init(
        session: Session,
        tasks: [(id: TaskID, path: String)],
        stamps: [FileTree.Stamp?],
        crash: DemoRun.Crash?,
        began: ContinuousClock.Instant
    ) async throws {
        output = session.output
        self.crash = crash
        let found = try await Self.records(of: tasks.map(\.id), session.tracker)
        let history = try await Self.attempts(of: tasks.map(\.id), session.tracker)
        records = found.compactMap { $0 }
        attempts = history
        elapsed = Self.span(of: history) ?? began.duration(to: .now)
        let sums = try await SumTool.sums(of: tasks.map(\.path))
        // The unreadable input was put among the files: their stamps come in the order of the others.
        var stamps = stamps[...]
        for (place, task) in tasks.enumerated() {
            let isOurs = task.path.hasSuffix("/unreadable.bin") && task.path.hasPrefix("/tmp/belay-demo-")
            let stamp = isOurs ? nil : stamps.popFirst() ?? nil
            if isOurs { unreadableTask = found[place] }
            let hasChanged = !isOurs && FileTree.stamp(task.path) != stamp
            judge(task.path, found[place], history[place], sum: sums[task.path], hasChanged: hasChanged)
        }
    }

    private mutating func judge(_ path: String, _ task: TaskRecord?, _ runs: [Attempt], sum: String?, hasChanged: Bool)
    {
        guard let task, task.state.isTerminal else { return verdict.lost.append(path) }
        let accepted = runs.filter { $0.outcome == .succeeded }
        // One accepted end, and nobody had a later lock than the one whose end was accepted.
        let isDoubled = accepted.count > 1 || accepted.contains { run in runs.contains { $0.fence > run.fence } }
        if isDoubled { verdict.doubled.append(path) }
        switch (task.state, sum) {
        case (.succeeded, let sum?):
            let output: Checksum.Output? = try? task.result?.decoded()
            if output?.sha256 == sum {
                verdict.verified += 1
            } else if hasChanged {
                verdict.changed += 1
            } else {
                verdict.wrong.append(path)
            }
        case (.exhausted, nil): verdict.unreadable.append(path)
        default: if hasChanged { verdict.changed += 1 } else { verdict.wrong.append(path) }
        }
    }

    // MARK: Reading

    private static func records(of ids: [TaskID], _ tracker: Tracker) async throws -> [TaskRecord?] {
        var all: [TaskRecord?] = []
        for start in stride(from: 0, to: ids.count, by: 200) {
            all += try await tracker.get(Array(ids[start..<min(start + 200, ids.count)]))
        }
        return all
    }

    /// One call for each, some at once.
    private static func attempts(of ids: [TaskID], _ tracker: Tracker) async throws -> [[Attempt]] {
        var all = [[Attempt]](repeating: [], count: ids.count)
        for start in stride(from: 0, to: ids.count, by: 64) {
            try await withThrowingTaskGroup(of: (Int, [Attempt]).self) { group in
                for place in start..<min(start + 64, ids.count) {
                    group.addTask { (place, try await tracker.attempts(of: ids[place]) ?? []) }
                }
                for try await (place, attempts) in group { all[place] = attempts }
            }
        }
        return all
    }

    private static func span(of history: [[Attempt]]) -> Duration? {
        let runs = history.joined()
        guard let first = runs.map(\.began).min(), let last = runs.compactMap(\.ended).max() else { return nil }
        return last - first
    }

    // MARK: Figures

    private struct Figures {
        var waits: [Duration] = []
        var times: [Duration] = []
        var outcomes: [Attempt.Outcome: Int] = [:]
    }

    private var figures: Figures {
        var figures = Figures()
        for (record, runs) in zip(records, attempts) {
            var due: Timestamp? = record.created
            for run in runs {
                figures.outcomes[run.outcome, default: 0] += 1
                if let due { figures.waits.append(max(run.began - due, .zero)) }
                if run.outcome == .succeeded, let ended = run.ended { figures.times.append(ended - run.began) }
                due = run.nextRun
            }
        }
        return figures
    }

    private static func percentile(_ values: [Duration], _ part: Double) -> String {
        guard !values.isEmpty else { return "-" }
        let sorted = values.sorted()
        return Span.text(sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))])
    }

    // MARK: Showing

    /// Shows the figures and the verdict; throws when the proof fails.
    func show() throws {
        let problems = problems
        if output.isJSON { output.json(view(problems)) } else { write(problems) }
        guard problems.isEmpty else { throw Failure(.failed, "the demo failed: " + problems.joined(separator: "; ")) }
    }

    private var problems: [String] {
        var problems: [String] = []
        func add(_ paths: [String], _ what: String) {
            guard let first = paths.first else { return }
            problems.append("\(paths.count) \(what) (\(Escaping.line(first)))")
        }
        add(verdict.lost, "lost")
        add(verdict.doubled, "done twice")
        add(verdict.wrong, "wrong")
        if crash == nil { problems.append("no worker was killed") }
        if let crash, crash.recovery == nil { problems.append("the killed worker's tasks were not taken back") }
        let isKept = unreadableTask?.lastFailure?.failure?.type == "unreadable"
        if unreadableTask?.state != .exhausted || unreadableTask?.attempts != Checksum.policy.attempts || !isKept {
            problems.append("the unreadable input did not end exhausted with its error kept")
        }
        return problems
    }

    private var rate: Double { Double(records.count) / max(elapsed.seconds, 0.001) }

    private func count(_ state: TaskState) -> Int { records.count { $0.state == state } }

    private func write(_ problems: [String]) {
        let figures = figures
        let runs = figures.outcomes.values.reduce(0, +)
        func of(_ outcome: Attempt.Outcome) -> Int { figures.outcomes[outcome] ?? 0 }
        var table = Table([.left(""), .left("", least: 30)])
        func row(_ name: String, _ value: String, _ code: Colours.Code? = nil) {
            table.rows.append([.init(name, .dim), .init(value, code)])
        }
        let states = TaskState.allCases.filter { count($0) > 0 }.map { "\(count($0)) \($0)" }
        row("tasks", "\(records.count): \(states.joined(separator: ", "))")
        row("attempts", "\(runs): \(of(.succeeded)) succeeded, \(of(.failed)) failed, \(of(.crashed)) crashed")
        if let crash {
            let recovery = crash.recovery.map { "taken back within \(Span.text($0))" } ?? "not taken back"
            let lease = Span.text(Checksum.policy.lease)
            row("crash", "process \(crash.process) killed, \(crash.held.count) tasks \(recovery) (lease \(lease))")
        }
        if let failed = unreadableTask?.lastFailure {
            row("unreadable", "\(failed.number) attempts, then exhausted: \(failed.failure?.message ?? "no error")")
        }
        row("queue wait", "p50 \(Self.percentile(figures.waits, 0.5))  p99 \(Self.percentile(figures.waits, 0.99))")
        row("run time", "p50 \(Self.percentile(figures.times, 0.5))  p99 \(Self.percentile(figures.times, 0.99))")
        row("throughput", "\(Int(rate.rounded())) tasks/s over \(Span.text(elapsed))")
        let others = verdict.unreadable.count - 1
        let unreadable = others > 0 ? ", \(others) more unreadable" : ""
        let changed = verdict.changed > 0 ? ", \(verdict.changed) changed meanwhile" : ""
        row("sha256sum", "\(verdict.verified) of \(count(.succeeded)) checksums equal\(unreadable)\(changed)")
        let text = problems.isEmpty ? "0 lost, 0 done twice, 0 wrong" : problems.joined(separator: "; ")
        row("verdict", text, problems.isEmpty ? .green : .red)
        for line in table.lines(width: output.width, colours: output.colours).dropFirst() { output.line(line) }
    }

    /// The summary in JSON.
    private struct View: Encodable {
        var tasks: [String: Int]
        var attempts: [String: Int]
        var lost: Int
        var doubled: Int
        var wrong: Int
        var verified: Int
        var held: Int
        var recovery: Double?
        var tasksPerSecond: Double
        var problems: [String]
    }

    private func view(_ problems: [String]) -> View {
        var states: [String: Int] = [:]
        for record in records { states[record.state.rawValue, default: 0] += 1 }
        return View(
            tasks: states,
            attempts: Dictionary(uniqueKeysWithValues: figures.outcomes.map { ($0.key.rawValue, $0.value) }),
            lost: verdict.lost.count,
            doubled: verdict.doubled.count,
            wrong: verdict.wrong.count,
            verified: verdict.verified,
            held: crash?.held.count ?? 0,
            recovery: crash?.recovery?.seconds,
            tasksPerSecond: rate,
            problems: problems
        )
    }
}
