public import Belay

/// What a webhook's body tells, and the payload of a hook's task that has none of its own: `{"hook", "state", "event", "task"}`,
/// event and task as the machine interface has them.
struct HookDocument: Encodable {
    var hook: String
    var state: TaskState
    var event: EventJSON
    var task: TaskJSON?
    var shortened: Bool?

    init(_ firing: HookFiring) {
        hook = firing.hook
        state = firing.state
        event = EventJSON(firing.event)
        task = firing.task.map(TaskJSON.init)
        shortened = firing.isShortened ? true : nil
    }
}

extension HookRunner {
    /// A runner whose documents are JSON objects: `hook` its name, `state` that the task ended in, `event` and `task` as the
    /// machine interface has them (`task` is absent when it was gone by then), and `shortened: true` where payload, result
    /// and data were left out because together they are larger than the tracker takes.
    /// - Throws: `TrackerError` (`invalidArgument`) for a value out of range.
    public convenience init(_ tracker: Tracker, configuration: Configuration = Configuration()) throws(TrackerError) {
        try self.init(tracker, configuration: configuration) { firing in
            Body(bytes: try JSONText.bytes(HookDocument(firing)))
        }
    }
}
