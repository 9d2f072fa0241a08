import ArgumentParser
import Belay
import BelayService

/// All tasks of a tag.
struct Flow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flow",
        abstract: "Cancel, retry, clean or recover all tasks of a tag.",
        discussion: """
            A tag is given by 'belay enqueue --tag'; 'belay tags' counts its tasks, 'belay
            ls --tag' lists them. A large tag is gone through in steps of 50 tasks; a call
            that was broken off may be repeated.
            """,
        subcommands: [CancelFlow.self, RetryFlow.self, CleanFlow.self, RecoverFlow.self]
    )
}

/// A tag that a command is about.
struct TagName: ParsableArguments {
    @Argument(help: "The tag.")
    var tag: String

    func name() throws -> TaskTag { try TaskTag(tag) }
}

/// Ends the tasks of a tag.
struct CancelFlow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "End all tasks of a tag that have not ended; running ones are asked to stop."
    )

    @OptionGroup var name: TagName

    @Option(help: "Kept with the tasks, at most 64 bytes.")
    var reason = ""

    @Option(help: "The signal that running programs are to get, 1 to 64. Default: what their workers use.")
    var signal: Int?

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let tag = try name.name()
        try await global.withSession { session in
            let change = try await session.tracker.cancel(tag: tag, reason: reason, signal: signal)
            let asked = change.requested > 0 ? ", \(change.requested) asked to stop" : ""
            session.output.tell(tag, change, "\(change.changed) cancelled\(asked)", requested: change.requested)
        }
    }
}

/// Runs the tasks of a tag again.
struct RetryFlow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Run the tasks of a tag again that ended without success.",
        discussion: "Those whose parents are run again, or have not ended, wait for them."
    )

    @OptionGroup var name: TagName

    @Option(help: "Those that ended so instead: succeeded, exhausted, cancelled or ignored; may be given often.")
    var state: [TaskState] = []

    @Flag(help: "Keep the count of attempts, with one more where none is left; otherwise it begins at 0.")
    var kept = false

    @Option(help: "For the tasks' logs, at most 1024 bytes.")
    var message = ""

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let tag = try name.name()
        try await global.withSession { session in
            let change = try await session.tracker.retry(
                tag: tag,
                states: state.isEmpty ? [.exhausted, .cancelled, .ignored] : state,
                budget: kept ? .kept : .fresh,
                message: message
            )
            session.output.tell(tag, change, "\(change.changed) to run again")
        }
    }
}

/// Deletes the unfinished tasks of a tag.
struct CleanFlow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clean",
        abstract: "Delete all tasks of a tag that have not ended, running ones too; what has ended stays.",
        discussion: "Their holders are refused from then on. There is no way back; 'belay flow cancel' keeps the tasks."
    )

    @OptionGroup var name: TagName
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let tag = try name.name()
        try await global.withSession { session in
            let change = try await session.tracker.clean(tag: tag)
            session.output.tell(tag, change, "\(change.changed) deleted")
        }
    }
}

/// Takes back the running tasks of a tag.
struct RecoverFlow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Take the running tasks of a tag from their holders and make them ready.",
        discussion: "For when all that worked on it has crashed: without waiting for the leases. What waits stays."
    )

    @OptionGroup var name: TagName

    @Option(help: "For the tasks' logs, at most 1024 bytes.")
    var message = ""

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let tag = try name.name()
        try await global.withSession { session in
            let change = try await session.tracker.recover(tag: tag, message: message)
            session.output.tell(tag, change, "\(change.changed) taken back")
        }
    }
}

/// Counts the tasks of tags.
struct CountTags: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tags",
        abstract: "Count the tasks of tags by state, and tell how far they are.",
        discussion: "A tag that no task has counts 0."
    )

    @Argument(help: "The tags, 1 to 100.")
    var tags: [String]

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let tags = try tags.map { try TaskTag($0) }
        try await global.withSession { session in
            let counts = try await session.tracker.counts(ofTags: tags)
            guard !session.output.isJSON else {
                for one in counts { session.output.json(TagCountsJSON(one)) }
                return
            }
            var table = Table([
                .left("TAG", least: 8), .right("READY"), .right("BLOCKED"), .right("RUNNING"), .right("PAUSED"),
                .right("SUCCEEDED"), .right("EXHAUSTED"), .right("CANCELLED"), .right("IGNORED"), .right("TOTAL"),
                .right("ENDED"),
            ])
            table.rows = counts.map { one in
                [
                    .init(one.tag.description), "\(one.ready)", "\(one.blocked)",
                    .init("\(one.running)", one.running > 0 ? .blue : nil),
                    .init("\(one.paused)", one.paused > 0 ? .yellow : nil),
                    .init("\(one.succeeded)", one.succeeded > 0 ? .green : nil),
                    .init("\(one.exhausted)", one.exhausted > 0 ? .red : nil),
                    .init("\(one.cancelled)", one.cancelled > 0 ? .yellow : nil),
                    .init("\(one.ignored)", one.ignored > 0 ? .dim : nil), "\(one.total)",
                    "\(Int((one.progress * 100).rounded(.down))) %",
                ]
            }
            session.output.table(table)
        }
    }
}

/// Lists what a task waits for.
struct ShowParents: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parents",
        abstract: "List what a task waits or waited for, with what its parents made.",
        discussion: """
            A tag is blocked while it goes on, succeeded when all of its tasks ended well,
            else exhausted.

            EXAMPLE
              belay parents "$BELAY_TASK_ID" --json | jq -r .result.text
            """
    )

    /// A parent in JSON.
    private struct View: Encodable {
        var task: TaskID?
        var tag: TaskTag?
        var state: TaskState?
        var result: BodyView?
    }

    @OptionGroup var name: TaskName
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let id = try name.task()
        try await global.withSession { session in
            guard let parents = try await session.tracker.parents(of: id) else { throw Failure.noTask([id]) }
            var table = Table([.left("PARENT", least: 12), .left("IS"), .left("STATE"), .left("RESULT", least: 8)])
            for parent in parents {
                let name: String
                var view = View(state: parent.state, result: BodyView(parent.result))
                switch parent.parent {
                case .task(let task): (name, view.task) = (task.description, task)
                case .tag(let tag): (name, view.tag) = (tag.description, tag)
                }
                if session.output.isJSON {
                    session.output.json(view)
                    continue
                }
                let result = parent.result.map { view.result?.text ?? "\($0.bytes.count) bytes of \($0.contentType)" }
                table.rows.append([
                    .init(name), view.tag == nil ? "task" : "tag",
                    .init(parent.state?.description ?? "gone", parent.state.flatMap(Colours.of)), .init(result ?? ""),
                ])
            }
            if !session.output.isJSON { session.output.table(table) }
        }
    }
}

extension Output {
    /// What was done with the tasks of a tag.
    fileprivate func tell(_ tag: TaskTag, _ change: TagChange, _ text: String, requested: Int? = nil) {
        struct View: Encodable {
            var tag: TaskTag
            var changed: Int
            var requested: Int?
        }
        guard !isJSON else { return json(View(tag: tag, changed: change.changed, requested: requested)) }
        line("\(tag)  \(text)")
    }
}
