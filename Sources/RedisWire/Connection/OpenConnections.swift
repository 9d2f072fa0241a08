import Synchronization

/// The connections beside the shared one, so that closing the client ends them too.
final class OpenConnections: Sendable {
    private struct State {
        var isClosed = false
        var shutDowns: [ObjectIdentifier: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Remembers how to end a connection; ends it at once if the client is closed already.
    func add(_ connection: AnyObject, shutDown: @escaping @Sendable () -> Void) {
        let id = ObjectIdentifier(connection)
        let isClosed = state.withLock { state in
            if !state.isClosed { state.shutDowns[id] = shutDown }
            return state.isClosed
        }
        if isClosed { shutDown() }
    }

    func remove(_ connection: AnyObject) {
        let id = ObjectIdentifier(connection)
        // Released after the lock: the closure holds the connection.
        _ = state.withLock { $0.shutDowns.removeValue(forKey: id) }
    }

    /// Ends all, now and in future.
    func shutDownAll() {
        let shutDowns = state.withLock { state in
            state.isClosed = true
            defer { state.shutDowns.removeAll() }
            return Array(state.shutDowns.values)
        }
        for shutDown in shutDowns { shutDown() }
    }
}
