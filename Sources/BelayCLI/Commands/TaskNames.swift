import ArgumentParser
import Belay

/// Tasks that a command is about: by id, or by kind and identifier.
struct TaskNames: ParsableArguments {
    @Argument(help: "The tasks, by id.")
    var ids: [String] = []

    @Option(help: "With --identifier: the kind of the tasks.")
    var kind: String?

    @Option(help: "What a task is called in its kind, instead of its id; may be given often.")
    var identifier: [String] = []

    /// Whether any task is named.
    var isEmpty: Bool { ids.isEmpty && identifier.isEmpty && kind == nil }

    /// The ids.
    func tasks() throws -> [TaskID] { try Names.tasks(ids, kind: kind, identifiers: identifier) }
}

/// One task that a command is about: by id, or by kind and identifier.
struct TaskName: ParsableArguments {
    @Argument(help: "The task, by id.")
    var id: String?

    @Option(help: "With --identifier: the kind of the task.")
    var kind: String?

    @Option(help: "What the task is called in its kind, instead of its id.")
    var identifier: String?

    /// Whether a task is named.
    var isEmpty: Bool { id == nil && identifier == nil && kind == nil }

    /// The id.
    func task() throws -> TaskID {
        guard id == nil || identifier == nil && kind == nil else {
            throw Failure(.usage, "give either the task's ID or --kind and --identifier, not both")
        }
        return try Names.tasks(id.map { [$0] } ?? [], kind: kind, identifiers: identifier.map { [$0] } ?? [])[0]
    }
}

extension Names {
    /// The ids of tasks that are named by id, or by kind and identifier; at least one.
    fileprivate static func tasks(_ ids: [String], kind: String?, identifiers: [String]) throws -> [TaskID] {
        guard (kind == nil) == identifiers.isEmpty else {
            throw Failure(.usage, "--kind and --identifier belong together: they name one task")
        }
        var all = try Names.ids(ids)
        if let kind {
            let kind = try KindName(kind)
            all += try identifiers.map { try TaskID(kind: kind, identifier: $0) }
        }
        guard !all.isEmpty else { throw Failure(.usage, "name a task: its ID, or --kind KIND --identifier NAME") }
        return all
    }
}
