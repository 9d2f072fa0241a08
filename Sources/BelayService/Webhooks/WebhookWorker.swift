import AsyncHTTPClient
public import Belay
import NIOCore
public import ServiceLifecycle

/// Sends the webhooks of a tracker: a worker for tasks of the kind `belay.webhook`, which ``HookRunner`` creates.
///
/// Each is a POST of JSON with the headers `X-Belay-Delivery` (the task's id, the same for every attempt), `X-Belay-Event`
/// (such as `exhausted`), `X-Belay-Hook` and, when the hook has a secret, `X-Belay-Signature`: `sha256=` and the
/// HMAC-SHA256 of the body in hexadecimal digits. A status of 200 to 299 within ten seconds is success. 4xx but 408, 425
/// and 429 is a failure for good; anything else is tried again as the kind's policy says. Redirects are not followed. The
/// first KiB of the answer is kept with the task.
public struct WebhookWorker: Service {
    private let tracker: Tracker
    private let configuration: Worker.Configuration

    /// A worker; nothing happens before ``run()``.
    /// - Parameters:
    ///   - tracker: The tracker.
    ///   - configuration: How it works; 16 webhooks at once unless said otherwise.
    /// - Throws: `TrackerError` (`invalidArgument`) for a value out of range.
    public init(_ tracker: Tracker, configuration: Worker.Configuration? = nil) throws(TrackerError) {
        self.tracker = tracker
        self.configuration =
            configuration
            ?? {
                var standard = Worker.Configuration()
                standard.slots = 16
                return standard
            }()
        // A value out of range is told here and not when it runs.
        _ = try Worker(tracker, configuration: self.configuration, handlers: [Handler(Webhook.kind) { _ in .empty }])
    }

    /// Sends until graceful shutdown, or until the calling task is cancelled.
    /// - Throws: `TrackerError` when the tracker cannot be used at all.
    public func run() async throws {
        var settings = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(5), read: .seconds(10))
        )
        settings.httpVersion = .http1Only
        // The task is tried again, and says why.
        settings.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
        do {
            let sender = WebhookSender(tracker: tracker, client: client)
            let handler = Handler(Webhook.kind, policy: Webhook.policy) { try await sender.send($0.claim) }
            try await Worker(tracker, configuration: configuration, handlers: [handler]).run()
        } catch {
            try? await client.shutdown()
            throw error
        }
        try await client.shutdown()
    }
}
