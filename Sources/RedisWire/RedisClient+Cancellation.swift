extension RedisClient {
    /// Whether calls go on although the calling task is cancelled.
    @TaskLocal package static var ignoresCancellation = false

    /// Lets the calls in `body`, of any client, go on although the calling task is cancelled; each still ends by its own
    /// time-out. For last words that must reach the server.
    public static func withoutCancellation<T, E: Error>(_ body: () async throws(E) -> T) async throws(E) -> T {
        let result: Result<T, E> = await $ignoresCancellation.withValue(true) {
            do throws(E) { return .success(try await body()) } catch { return .failure(error) }
        }
        return try result.get()
    }
}
