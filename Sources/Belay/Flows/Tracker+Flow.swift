extension Tracker {
    /// Creates all tasks of a flow in one round trip, atomically, in one partition: parents and children, or none of them.
    /// - Parameter message: What the tasks' logs say of it, at most 1,024 bytes; empty for nothing.
    /// - Returns: What became of each, in the order in which they were added. A task that exists already is left as it is.
    ///   A kind whose queue is full refuses its tasks and those that follow them.
    /// - Throws: ``TrackerError`` (`invalidArgument`, of a cycle too; `unknownParent` for a step that there is not;
    ///   `unknownKind`, `tooLarge`, or of the server).
    @discardableResult
    public func enqueue(_ flow: Flow, message: String = "") async throws(TrackerError) -> [EnqueueOutcome] {
        let compiled = try flow.compiled()
        let trace = currentTrace()
        var ready: [PreparedTask] = []
        for item in compiled { ready.append(try await prepare(item.task, policy: item.policy, trace: trace)) }
        let outcomes = try await enqueue(ready, nonce: Host.nonce(), message: message)
        return zip(compiled.map(\.place), outcomes).sorted { $0.0 < $1.0 }.map(\.1)
    }
}
