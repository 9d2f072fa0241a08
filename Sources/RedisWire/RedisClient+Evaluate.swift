import NIOCore

extension RedisClient {
    /// Runs a script and waits for its reply, and tries again while that can help.
    ///
    /// The script is called by its SHA-1; where the server does not know it, its source is sent in the same call. Each try
    /// takes at most ``RedisConfiguration/commandTimeout``, all tries and the pauses between them at most
    /// ``RedisConfiguration/evaluateTimeout``. What passes by itself is tried again (a lost or missing connection,
    /// `READONLY`, `LOADING`, `MASTERDOWN`, `TRYAGAIN`, `CLUSTERDOWN`, `NOREPLICAS`, `BUSY`); other error replies
    /// (`OOM`, `NOPERM`, `WRONGTYPE`, errors of the script) and a wrong password are not.
    ///
    /// - Parameters:
    ///   - script: The script.
    ///   - key: The key whose node runs the script.
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
        let link = router.node(forKey: key).shared
        let end = NIODeadline.now() + TimeAmount(rounding: configuration.evaluateTimeout)
        var attempts = 0
        var isUnknown = false
        while true {
            do {
                return try await evaluateOnce(script, on: link, keyCount: keyCount, arguments: arguments, end: end)
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
        on link: Link,
        keyCount: Int,
        arguments: RedisArguments,
        end: NIODeadline
    ) async throws(RedisError) -> RedisReply {
        let head = RedisCommand.Head.script(script, keyCount: keyCount, bySource: false)
        let command = RedisCommand(head: head, arguments: arguments)
        let result = await link.send(command, timeout: min(commandTimeout, end - .now()))
        guard case .success(.error(let error)) = result, error.prefix == "NOSCRIPT" else {
            return try result.value(of: command, endpoint: endpoint)
        }
        let source = RedisCommand(head: .script(script, keyCount: keyCount, bySource: true), arguments: arguments)
        return try await link.send(source, timeout: min(commandTimeout, end - .now()))
            .value(of: source, endpoint: endpoint)
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
