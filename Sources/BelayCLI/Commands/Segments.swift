import ArgumentParser
import Belay
import BelayService

/// The segments of pipelines.
struct SegmentsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "segments",
        abstract: "List the segments of pipelines with their tasks by status, tag them, clean or recover one.",
        discussion: """
            A segment is NAME@KEY; the key is a digest of its code's version, its
            parameters, its rule, the files that it declares and its parents. NAME@KEY
            is the tag of its tasks, too: 'belay ls --tag NAME@KEY' shows them.

            EXAMPLES
              belay segments
              belay segments checksum --tag nightly
              belay segments recover checksum@0123456789ab
            """,
        subcommands: [
            ListSegments.self, TagSegments.self, CleanSegment.self, RecoverSegment.self, ForgetSegment.self,
        ],
        defaultSubcommand: ListSegments.self
    )
}

/// Lists segments.
struct ListSegments: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List segments, the newest first; all of them unless a name or tag is given."
    )

    @Argument(help: "Only those of that name.")
    var name: String?

    @Option(help: "Only those with that tag of yours.")
    var tag: String?

    @OptionGroup var creation: CreationOptions

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let tag = try tag.map { try TaskTag($0) }
        try await global.withSession { session in
            var table = Table([
                .left("SEGMENT", least: 14), .right("QUEUED"), .right("RUNNING"), .right("DONE"), .right("FAILED"),
                .left("CREATED"), .left("TAG"), .left("PARENTS", least: 7), .left("PARAMETERS", least: 10),
            ])
            var cursor: String?
            repeat {
                let page = try await session.tracker.segments(
                    named: name,
                    tag: tag,
                    created: creation.range,
                    cursor: cursor
                )
                for segment in page.segments {
                    if session.output.isJSON { session.output.json(SegmentJSON(segment)) }
                    table.rows.append(Self.row(segment))
                }
                cursor = page.cursor
            } while cursor != nil
            if !session.output.isJSON { session.output.table(table) }
        }
    }

    private static func row(_ segment: SegmentRecord) -> [Table.Cell] {
        func count(_ status: SegmentStatus) -> Table.Cell {
            let number = segment.counts.count(status)
            return .init("\(number)", status == .failed && number > 0 ? .red : nil)
        }
        return [
            .init(segment.instance.description), count(.queued), count(.running), count(.done), count(.failed),
            .init(segment.created.description), .init(segment.tag?.description ?? ""),
            .init(segment.parents.map(\.description).joined(separator: " ")), .init(segment.parameters.text),
        ]
    }
}

/// Tags segments.
struct TagSegments: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag",
        abstract: "Give segments a tag, or take it away. Tasks that exist keep their tags."
    )

    @Argument(help: "The segments, NAME@KEY.")
    var segments: [String]

    @Option(help: "The tag; without it, the segments have none.")
    var tag: String?

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let (instances, tag) = (try segments.map { try TaskTag($0) }, try tag.map { try TaskTag($0) })
        try await global.withSession { session in
            let missing = try await session.tracker.tagSegments(instances, tag)
            guard missing.isEmpty else {
                throw Failure(.notFound, "no segment \(missing.map(\.description).joined(separator: ", "))")
            }
        }
    }
}

/// Deletes what has not ended.
struct CleanSegment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clean",
        abstract: "Delete a segment's tasks that have not ended, running ones too. What is done stays."
    )

    @Argument(help: "The segment, NAME@KEY.")
    var segment: String

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let instance = try TaskTag(segment)
        try await global.withSession { session in
            try await session.requireSegment(instance)
            session.tell(try await session.tracker.clean(tag: instance), "deleted")
        }
    }
}

/// Makes running tasks ready.
struct RecoverSegment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract:
            "Take a segment's running tasks from their holders and queue them again, after a crash of all workers."
    )

    @Argument(help: "The segment, NAME@KEY.")
    var segment: String

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let instance = try TaskTag(segment)
        try await global.withSession { session in
            try await session.requireSegment(instance)
            session.tell(try await session.tracker.recover(tag: instance), "queued")
        }
    }
}

/// Forgets a segment.
struct ForgetSegment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget",
        abstract: "Forget a segment of which no tasks are left."
    )

    @Argument(help: "The segment, NAME@KEY.")
    var segment: String

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let instance = try TaskTag(segment)
        try await global.withSession { session in
            switch try await session.tracker.forgetSegment(instance) {
            case .forgotten: break
            case .inUse:
                throw Failure(.failed, "tasks of segment \(instance) exist; clean it, and delete what has ended")
            case .notFound: throw Failure(.notFound, "no segment \(instance)")
            }
        }
    }
}

extension Session {
    fileprivate func requireSegment(_ instance: TaskTag) async throws {
        guard try await !tracker.segments(instances: [instance]).segments.isEmpty else {
            throw Failure(.notFound, "no segment \(instance)")
        }
    }

    fileprivate func tell(_ change: TagChange, _ what: String) {
        if output.isJSON {
            output.json(["changed": change.changed])
        } else {
            output.line("\(change.changed) tasks \(what)")
        }
    }
}
