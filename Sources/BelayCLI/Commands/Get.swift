import ArgumentParser
import Belay

/// Shows tasks whole.
struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Show tasks with payload, result and last error.",
        discussion: """
            EXAMPLES
              belay get mail-7 mail-8 --json
              belay get --kind report --identifier 2030-01 --raw result > report.pdf
            """
    )

    /// What of a task is written as it is.
    enum Part: String, ExpressibleByArgument, CaseIterable {
        case payload
        case result
        case data
    }

    @OptionGroup var names: TaskNames

    @Option(help: "Write the bytes of the only task's payload, result or data to stdout, as they are.")
    var raw: Part?

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let ids = try names.tasks()
        if raw != nil, ids.count > 1 {
            throw Failure(.usage, "--raw writes the bytes of one task; \(ids.count) are named")
        }
        try await global.withSession { session in
            if let raw { return try Self.write(raw, of: try await session.tracker.get(ids[0]), ids[0]) }
            var missing: [TaskID] = []
            for (place, (id, task)) in zip(ids, try await session.tracker.get(ids)).enumerated() {
                guard let task else {
                    missing.append(id)
                    continue
                }
                if session.output.isJSON {
                    session.output.json(TaskView(task))
                } else {
                    if place > 0 { session.output.line("") }
                    Self.show(task, session.output)
                }
            }
            if !missing.isEmpty { throw Failure.noTask(missing) }
        }
    }

    private static func write(_ part: Part, of task: TaskRecord?, _ id: TaskID) throws {
        guard let task else { throw Failure.noTask([id]) }
        let body =
            switch part {
            case .payload: task.payload
            case .result: task.result
            case .data: task.data
            }
        guard let body else { throw Failure(.notFound, "\(Escaping.name(id)) has no \(part)") }
        Terminal.write(body.bytes, to: 1)
    }

    private static func show(_ task: TaskRecord, _ output: Output) {
        func field(_ name: String, _ value: String?, _ code: Colours.Code? = nil) {
            guard let value, !value.isEmpty else { return }
            let title = name + String(repeating: " ", count: max(1, 14 - name.count))
            output.line(output.colours.paint(title, .dim) + output.colours.paint(Escaping.line(value), code))
        }
        let limit = task.attemptLimit.map { " of \($0)" } ?? ""
        field("id", task.id.description, .bold)
        field("kind", task.kind.description)
        field("identifier", task.identifier)
        field("state", task.state.description, Colours.of(task.state))
        field("status", "\(task.status.rawValue) \(task.status.name)")
        field(
            "attempts",
            "\(task.attempts)\(limit) (\(task.failures) failed, \(task.crashes) crashed, \(task.snoozes) snoozed)"
        )
        field("priority", "\(task.priority)")
        field("created", task.created.description)
        field("updated", task.updated.description)
        field("due", task.due.description)
        field("began", task.began?.description)
        field("worker", task.worker)
        field("lease until", task.leaseExpires?.description)
        field("renewals", task.renewals > 0 ? "\(task.renewals)" : nil)
        field("deadline", task.deadline?.description)
        field("fence", task.fence.map { "\($0)" })
        let percent = task.progress.map { "\(Int(($0 * 100).rounded())) % " } ?? ""
        field("tags", task.tags.map(\.description).joined(separator: " "))
        field("waits for", task.awaited > 0 ? "\(task.awaited) of its parents ('belay parents' lists them)" : nil)
        field("expires", task.expires?.description)
        field("reused", task.reuses > 0 ? "\(task.reuses) times" : nil)
        field("progress", percent + (task.progressMessage ?? ""))
        field("to be stopped", task.cancelRequested?.description, .yellow)
        field("cancelled for", task.cancelReason)
        field("cause", task.cause.map(Self.text))
        field("payload", task.payload.map { text($0) })
        field(task.state == .succeeded ? "result" : "response", task.result.map { text($0) })
        field("data", task.data.map { text($0) })
        guard let last = task.lastFailure else { return }
        field("last failure", "attempt \(last.number) \(last.outcome) at \(last.ended ?? last.began)")
        guard let failure = last.failure else { return }
        field("  error", failure.description, .red)
        for line in failure.backtrace { output.line("                " + Escaping.line(line)) }
    }

    private static func text(_ cause: CancelCause) -> String {
        switch cause {
        case .expired: "expired before it began"
        case .deduplicated(let other): "\(other) has the same content"
        case .parentFailed(.task(let id)): "parent \(id) did not end as it needs"
        case .parentFailed(.tag(let tag)): "the tasks of tag \(tag) did not end as it needs"
        }
    }

    /// At most about a screen of text.
    private static func text(_ body: Body) -> String {
        guard !body.bytes.isEmpty else { return "" }
        guard !body.bytes.contains(0), let text = String(validating: body.bytes, as: UTF8.self) else {
            return "\(body.bytes.count) bytes of \(body.contentType)"
        }
        let type = body.contentType == Body.json ? "" : "  (\(body.contentType))"
        return text.count > 2000
            ? "\(text.prefix(2000))… (\(body.bytes.count) bytes, all with --raw)\(type)" : text + type
    }
}

extension Failure {
    /// There are no such tasks.
    static func noTask(_ ids: [TaskID]) -> Failure {
        let names = ids.prefix(5).map { "“\(Escaping.line($0.description))”" }.joined(separator: ", ")
        let more = ids.count > 5 ? " and \(ids.count - 5) more" : ""
        return Failure(.notFound, "no task \(names)\(more) in this tracker; 'belay ls' lists what there is")
    }
}
