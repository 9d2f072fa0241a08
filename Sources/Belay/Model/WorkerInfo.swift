/// A worker as the tracker knows it.
public struct WorkerInfo: Sendable, Hashable, Codable {
    /// Its name, `host:pid:nonce`.
    public var name: String
    /// When it last beat or claimed, to the second.
    public var seen: Timestamp
    /// Since when it works; nil when it never told.
    public var since: Timestamp?
    /// Until when it counts as alive: two intervals after its last beat, or when it left; nil when it never told.
    public var aliveUntil: Timestamp?
    /// How often it beats.
    public var interval: Duration?
    /// How many tasks it runs at once.
    public var slots: Int?
    /// How many it ran when it last beat.
    public var active: Int?
    /// How many it ended well.
    public var succeeded: Int?
    /// How many it ended otherwise.
    public var failed: Int?
    /// What it runs, `belay/1.0`.
    public var software: String?
    /// How far its clock was ahead of the server's when it last beat.
    public var drift: Duration?
    /// The kinds it takes.
    public var kinds: [KindName]
    /// Whether it counts as alive; nil when it never told.
    public var isAlive: Bool?
}
