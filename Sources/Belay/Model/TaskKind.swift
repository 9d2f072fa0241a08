/// A type of work, as Swift sees it: a name, the types of its payload and result, and its policy.
///
/// ```swift
/// struct Thumbnail: Codable, Sendable { var image: String; var width: Int }
/// let thumbnails = TaskKind<Thumbnail, String>("thumbnail", policy: KindPolicy(lease: .seconds(20), attempts: 3))
/// ```
public struct TaskKind<Payload: Codable & Sendable, Output: Codable & Sendable>: Sendable {
    /// The kind's name in the tracker.
    public let name: KindName
    /// The policy that it is defined with where it is unknown; a stored policy stands.
    public let policy: KindPolicy

    /// A kind of work.
    public init(
        _ name: KindName,
        payload: Payload.Type = Payload.self,
        output: Output.Type = Output.self,
        policy: KindPolicy = .default
    ) {
        self.name = name
        self.policy = policy
    }
}

/// A task that makes nothing but its success.
public struct NoOutput: Codable, Sendable, Hashable {
    /// Nothing.
    public init() {}
}
