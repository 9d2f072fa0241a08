extension Tracker {
    /// Stores a finished hook for all hosts: what is to be done whenever a task ends. One of the same name is replaced.
    ///
    /// It acts on what ends from now on; one that is replaced acts from where it was. A ``HookRunner`` must run.
    /// - Throws: ``TrackerError`` (`invalidArgument`; `unknownKind` for the kind of the task that it enqueues; `full` at 100
    ///   hooks; or of the server).
    public func defineHook(_ rule: HookRule) async throws(TrackerError) {
        _ = try await perform(DefineHook(name: rule.name, rule: rule))
    }

    /// Removes a finished hook. Tasks that it enqueued stay; webhooks of it that wait are given up.
    /// - Parameter name: The hook's name.
    /// - Returns: Whether there was one.
    /// - Throws: ``TrackerError`` (`invalidArgument`, or of the server).
    public func removeHook(_ name: String) async throws(TrackerError) -> HookRemoval {
        try await perform(DefineHook(name: name, rule: nil)) ? .removed : .notFound
    }

    /// All finished hooks, by name, and how far they have acted.
    /// - Throws: ``TrackerError`` of the server.
    public func hooks() async throws(TrackerError) -> HookList {
        try await perform(Hooks(name: nil, consumer: HookRunner.consumer))
    }

    /// One finished hook; nil when there is none of that name.
    package func hook(named name: String) async throws(TrackerError) -> DefinedHook? {
        try await perform(Hooks(name: name, consumer: HookRunner.consumer)).hooks.first
    }
}
