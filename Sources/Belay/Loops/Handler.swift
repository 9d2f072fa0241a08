/// What a worker does with tasks of one kind.
///
/// A handler may throw ``PermanentFailure`` (no retry), ``Snooze`` (later, no attempt spent), ``TaskFailure``, or any
/// error; the error is kept with the attempt.
public struct Handler: Sendable {
    /// The kind.
    public let kind: KindName
    let policy: KindPolicy
    let body: @Sendable (ClaimContext) async throws -> Body
    /// Whether the body looks itself at what it is asked (``ClaimContext/waitForStop(atMost:)``) and is not cancelled.
    package var stopsItself = false

    /// A handler of a Swift kind: the payload is decoded from JSON, the output is stored as JSON.
    ///
    /// A payload that cannot be decoded exhausts its task with that error: it is kept and reported, never dropped.
    public init<Payload, Output>(
        _ kind: TaskKind<Payload, Output>,
        _ body: @escaping @Sendable (Payload, ClaimContext) async throws -> Output
    ) {
        self.init(kind.name, policy: kind.policy) { context in
            let payload: Payload
            do throws(TrackerError) {
                payload = try context.claim.payload.decoded()
            } catch {
                throw PermanentFailure(TaskFailure(type: "payload", message: error.message))
            }
            let output = try await body(payload, context)
            return output is NoOutput ? .empty : try Body(encoding: output)
        }
    }

    /// A handler of bytes.
    /// - Parameters:
    ///   - policy: What to define the kind with where the tracker does not know it.
    public init(
        _ kind: KindName,
        policy: KindPolicy = .default,
        _ body: @escaping @Sendable (ClaimContext) async throws -> Body
    ) {
        self.kind = kind
        self.policy = policy
        self.body = body
    }
}
