import Belay

/// What the pipeline's demo proves: nothing finished is done again, what can be used again is, and the events tell the truth.
struct PipelineProof: Sendable {
    /// What a further run did.
    struct Rerun: Sendable {
        /// Products that were used again.
        var reused = 0
        /// Products that there were before.
        var before = 0
        /// Tasks that ran.
        var ran = 0
        /// Files that were not what they had been.
        var changed = 0

        init() {}

        init(_ phase: PipelineDemo.Phase, after last: PipelineDemo.Phase, changed: Int) {
            reused = phase.report?.reused ?? 0
            before = last.report?.done ?? 0
            ran = phase.finished.count { last.finished[$0.key] != $0.value }
            self.changed = changed
        }

        /// What a changed file takes: its scan, checksum and class, and the report.
        var allowed: Int { changed == 0 ? 0 : 3 * changed + 1 }
        /// Whether it ran what it had to, and used everything else again.
        var isRight: Bool { ran <= allowed && (changed == 0) == (ran == 0) && reused >= before - allowed }
    }

    var finishedAtKill = 0
    var repeated = 0
    var first: PipelineReport?
    var attempts = 0
    var doubled = 0
    var verified = 0
    var wrong: [String] = []
    var report: FilePipeline.Report?
    var isReportRight = false
    var second = Rerun()
    var third = Rerun()

    /// Shows the figures and the verdict; throws when the proof fails.
    func show(_ output: Output, _ replay: EventReplay, _ stats: TrackerStats) throws {
        let differences = replay.differences(from: stats)
        var problems: [String] = []
        if finishedAtKill == 0 { problems.append("nothing was finished when everything was killed") }
        if repeated > 0 { problems.append("\(repeated) finished tasks were repeated") }
        if doubled > 0 { problems.append("\(doubled) tasks did not succeed exactly once") }
        if !wrong.isEmpty { problems.append("\(wrong.count) checksums wrong (\(Escaping.line(wrong[0])))") }
        if !isReportRight { problems.append("the report is not that of the checksums") }
        if first?.failed == 0 { problems.append("the missing file was found") }
        if !second.isRight {
            problems.append("the second run ran \(second.ran) tasks, \(second.changed) files changed")
        }
        if !third.isRight { problems.append("the third run ran \(third.ran) tasks, \(third.changed) files changed") }
        if third.changed == 0 { problems.append("no file changed before the third run") }
        if !replay.isComplete { problems.append("events were lost") }
        problems += differences
        if output.isJSON {
            output.json(View(self, replay, stats, problems))
        } else {
            write(output, replay, stats, problems)
        }
        guard problems.isEmpty else { throw Failure(.failed, "the demo failed: " + problems.joined(separator: "; ")) }
    }

    private func write(_ output: Output, _ replay: EventReplay, _ stats: TrackerStats, _ problems: [String]) {
        var table = Table([.left(""), .left("", least: 30)])
        func row(_ name: String, _ value: String, _ code: Colours.Code? = nil) {
            table.rows.append([.init(name, .dim), .init(value, code)])
        }
        for segment in first?.segments ?? [] {
            row(
                "segment",
                "\(segment.instance): \(segment.tasks) tasks, \(segment.done) done, \(segment.failed) failed"
            )
        }
        row("resume", "\(finishedAtKill) tasks had succeeded at the kill; \(repeated) of them repeated")
        row("attempts", "\(attempts) for \(first?.done ?? 0) products; \(doubled) did not succeed exactly once")
        if let report {
            let classes = report.classes.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
            let words = classes.joined(separator: ", ")
            row("report", "\(report.files) files, \(report.bytes) bytes, \(report.lines) lines: \(words)")
        }
        row("sha256sum", "\(verified) checksums equal")
        row("second run", "\(second.reused) reused, \(second.ran) run")
        row("changed", "\(third.changed) file changed: \(third.reused) reused, \(third.ran) run")
        row("by events", Self.text(replay.totals) + " (\(replay.events) events)")
        row("by stats", Self.text(stats.totals))
        let text =
            problems.isEmpty
            ? "nothing repeated, nothing lost, events and stats agree" : problems.joined(separator: "; ")
        row("verdict", text, problems.isEmpty ? .green : .red)
        for line in table.lines(width: output.width, colours: output.colours).dropFirst() { output.line(line) }
    }

    private static func text(_ totals: [TaskState: Int]) -> String {
        TaskState.allCases.compactMap { state in totals[state].map { "\($0) \(state)" } }.joined(separator: ", ")
    }

    /// The summary in JSON.
    private struct View: Encodable {
        var finishedAtKill: Int
        var repeated: Int
        var doubled: Int
        var attempts: Int
        var first: PipelineReport?
        var verified: Int
        var secondReused: Int
        var secondRan: Int
        var changed: Int
        var thirdReused: Int
        var thirdRan: Int
        var byEvents: [String: Int]
        var byStats: [String: Int]
        var problems: [String]

        init(_ proof: PipelineProof, _ replay: EventReplay, _ stats: TrackerStats, _ problems: [String]) {
            func words(_ totals: [TaskState: Int]) -> [String: Int] {
                totals.reduce(into: [:]) { $0[$1.key.rawValue] = $1.value }
            }
            (finishedAtKill, repeated) = (proof.finishedAtKill, proof.repeated)
            (doubled, attempts, first) = (proof.doubled, proof.attempts, proof.first)
            verified = proof.verified
            (secondReused, secondRan) = (proof.second.reused, proof.second.ran)
            (changed, thirdReused, thirdRan) = (proof.third.changed, proof.third.reused, proof.third.ran)
            (byEvents, byStats) = (words(replay.totals), words(stats.totals))
            self.problems = problems
        }
    }
}

extension EventReplay {
    /// How many tasks are in each state, of all kinds.
    fileprivate var totals: [TaskState: Int] {
        counts.values.reduce(into: [:]) { all, kind in for (state, count) in kind { all[state, default: 0] += count } }
    }
}

extension TrackerStats {
    /// How many tasks are in each state, of all kinds; states without tasks are left out.
    fileprivate var totals: [TaskState: Int] {
        var all: [TaskState: Int] = [:]
        for state in TaskState.allCases {
            let count = kinds.reduce(0) { $0 + $1.count(state) }
            if count > 0 { all[state] = count }
        }
        return all
    }
}
