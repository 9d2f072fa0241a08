import RedisWire

/// Lets calls in `body` go on although the calling task is cancelled: the last words of a holder (complete, release) must
/// reach the server, or its task waits for the end of a lease. Each call still ends by its own time-out.
func withoutCancellation<T, E: Error>(_ body: () async throws(E) -> T) async throws(E) -> T {
    try await RedisClient.withoutCancellation(body)
}
