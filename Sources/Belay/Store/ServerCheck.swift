import RedisWire

/// Whether a server is fit to keep tasks: Redis 6.2 or newer, and not set up to evict keys.
enum ServerCheck {
    /// Asks the nodes of these keys but that of the first, which has been asked: each once and all at the same time.
    ///
    /// One that is away is passed over: it must not keep the others from working, and what it holds cannot be reached.
    static func run(_ client: RedisClient, others keys: [String]) async throws(TrackerError) {
        let results = await withTaskGroup(of: Result<Void, TrackerError>.self) { group in
            for key in client.oneKeyPerNode(among: keys).dropFirst() {
                group.addTask {
                    do throws(TrackerError) { return .success(try await run(client, key: key)) } catch {
                        return .failure(error)
                    }
                }
            }
            var results: [Result<Void, TrackerError>] = []
            for await result in group { results.append(result) }
            return results
        }
        for case .failure(let error) in results where !error.isRetriable { throw error }
    }

    /// Asks the node of one key.
    static func run(_ client: RedisClient, key: String) async throws(TrackerError) {
        let info: String
        do {
            guard let text = try await client.send(RedisCommand("INFO"), routedBy: key).string else {
                throw TrackerError.bug("INFO answered no text")
            }
            info = text
        } catch let error as RedisError {
            // A user that may run scripts only cannot ask; the scripts themselves tell what the server lacks.
            if error.serverError?.prefix == "NOPERM" { return }
            throw TrackerError(error)
        } catch {
            throw TrackerError.bug("\(error)")
        }
        try check(info: info)
    }

    static func check(info: String) throws(TrackerError) {
        var fields: [Substring: Substring] = [:]
        for line in info.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon]] = line[line.index(after: colon)...]
        }
        if let version = fields["redis_version"] {
            let parts = version.split(separator: ".").prefix(2).compactMap { Int($0) }
            if parts.count == 2, (parts[0], parts[1]) < (6, 2) {
                throw TrackerError(.unsuitableServer, "Redis \(version) is too old; Belay needs 6.2 or newer")
            }
        }
        if let policy = fields["maxmemory_policy"], policy.hasPrefix("allkeys-") {
            throw TrackerError(
                .unsuitableServer,
                "the server's maxmemory-policy is \(policy), which deletes tasks when memory is short; set noeviction: "
                    + "CONFIG SET maxmemory-policy noeviction, and the same in its configuration file"
            )
        }
    }
}
