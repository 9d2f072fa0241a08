import NIOCore

extension RedisClient {
    /// Runs a script and waits for its reply, and tries again while that can help.
    ///
    /// The script is called by its SHA-1; where the server does not know it, its source is sent in the same call. Each try
    /// takes at most ``RedisConfiguration/commandTimeout``, all tries and the pauses between them at most
    /// ``RedisConfiguration/evaluateTimeout``. What passes by itself is tried again (a lost or missing connection,
    /// `READONLY`, `LOADING`, `MASTERDOWN`, `TRYAGAIN`, `CLUSTERDOWN`, `NOREPLICAS`, `BUSY`); other error replies
    /// (`OOM`, `NOPERM`, `WRONGTYPE`, `CROSSSLOT`, errors of the script) and a wrong password are not.
    ///
    /// In a cluster the key's slot names the node. Within one try the call follows `MOVED` and `ASK` at once, to at most
    /// five nodes. While a slot is being moved, calls with several keys of which some have gone already are refused
    /// (`TRYAGAIN`), and tried again until all have gone. Before each further try after a failure of a node the slots are
    /// asked for anew, so a call goes on when a replica has taken its primary's place.
    ///
    /// - Parameters:
    ///   - script: The script.
    ///   - key: The key whose node runs the script. In a cluster all keys must have its slot.
    ///   - keyCount: How many of the arguments, counted from the first, are keys.
    ///   - arguments: Keys, then other arguments.
    ///   - retryingUnknown: Whether to try again after a try with outcome ``RedisError/Outcome/unknown``; true by default,
    ///     for scripts that may run twice with the same arguments.
    /// - Throws: ``RedisError`` of the last try. Its outcome is `unknown` if that of any try was.
    public func evaluate(
        _ script: RedisScript,
        routedBy key: String,
        keyCount: Int,
        arguments: RedisArguments,
        retryingUnknown: Bool = true
    ) async throws(RedisError) -> RedisReply {
        let end = NIODeadline.now() + TimeAmount(rounding: configuration.evaluateTimeout)
        var attempts = 0
        var isUnknown = false
        while true {
            do throws(RedisError) {
                switch router {
                case .single(let node):
                    return try await evaluateOnce(script, on: node, keyCount: keyCount, arguments: arguments, end: end)
                case .cluster(let cluster):
                    return try await cluster.perform(on: HashSlot(key: key), before: end) {
                        node,
                        isAsking throws(RedisError) in
                        try await evaluateOnce(
                            script,
                            on: node,
                            isAsking: isAsking,
                            keyCount: keyCount,
                            arguments: arguments,
                            end: end
                        )
                    }
                }
            } catch {
                attempts += 1
                isUnknown = isUnknown || error.outcome == .unknown
                let failure = isUnknown ? error.with(outcome: .unknown) : error
                guard error.isRetriable, retryingUnknown || error.outcome != .unknown else { throw failure }
                try await pause(afterFailures: attempts, before: end, failure)
            }
        }
    }

    private func evaluateOnce(
        _ script: RedisScript,
        on node: Node,
        isAsking: Bool = false,
        keyCount: Int,
        arguments: RedisArguments,
        end: NIODeadline
    ) async throws(RedisError) -> RedisReply {
        let head = RedisCommand.Head.script(script, keyCount: keyCount, bySource: false)
        let command = RedisCommand(head: head, arguments: arguments)
        let timeout = min(commandTimeout, end - .now())
        let result = await node.shared.send(command, asking: isAsking, timeout: timeout)
        guard case .success(.error(let error)) = result, error.prefix == "NOSCRIPT" else {
            return try result.value(of: command, endpoint: node.name, isCluster: configuration.isCluster)
        }
        let source = RedisCommand(head: .script(script, keyCount: keyCount, bySource: true), arguments: arguments)
        return try await node.shared.send(source, asking: isAsking, timeout: min(commandTimeout, end - .now()))
            .value(of: source, endpoint: node.name, isCluster: configuration.isCluster)
    }

    /// The node that owns a key's slot, tried as often as a script would be.
    func locate(_ key: String, in cluster: Cluster) async throws(RedisError) -> Node {
        let end = NIODeadline.now() + TimeAmount(rounding: configuration.evaluateTimeout)
        var attempts = 0
        while true {
            do throws(RedisError) {
                return try await cluster.locate(key, before: end)
            } catch {
                attempts += 1
                guard error.isRetriable else { throw error }
                try await pause(afterFailures: attempts, before: end, error)
            }
        }
    }

    /// Waits before the next try; throws `failure` when there is no time for one.
    private func pause(
        afterFailures attempts: Int,
        before end: NIODeadline,
        _ failure: RedisError
    ) async throws(RedisError) {
        let pause = configuration.retryBackoff.pause(afterFailures: attempts, random: .random(in: 0...1))
        guard .now() + TimeAmount(rounding: pause) < end else { throw failure }
        do {
            try await Task.sleep(for: pause)
        } catch {
            throw RedisError(
                code: .cancelled,
                outcome: failure.outcome,
                message: "cancelled between two tries, after: \(failure.message)",
                serverError: failure.serverError,
                endpoint: endpoint,
                underlying: failure
            )
        }
    }
}
