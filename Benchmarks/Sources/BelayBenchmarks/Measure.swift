/// How much to measure.
struct Scale: Sendable {
    var tasks: Int
    var singles: Int
    var pickups: Int
    var slots: Int
    /// How long idle workers are watched. Ten seconds hold one heartbeat of each.
    var idleSeconds = 10
    /// Tasks behind each row of the table of memory.
    var memoryTasks = 20_000
}

/// One figure with the goal that it is held against.
struct Figure {
    var name: String
    var unit: String
    var value: Double
    var goal: String
    /// The best that another system reaches, measured on another machine; empty when nobody measured it.
    var peer = ""
    /// What the server itself can do; empty when nobody measured it.
    var limit = ""
}

/// One thing that is measured on a fresh server.
struct Measure: Sendable {
    let name: String
    /// So many rounds at most: one for what does not move between rounds.
    var rounds = Int.max
    /// Whether it takes so long that it runs only when it is named, or with `--full`.
    var isLong = false
    let run: @Sendable (Bench, Scale) async throws -> [Figure]

    static let all = [
        single, concurrent, lifecycle, oneAtATime, retry, pickup, pickup100, pickup1000, idle, memory, limits, cluster,
    ]
}
