import ArgumentParser
import Belay
import Logging
import ServiceLifecycle

/// Everything that a laptop needs.
struct Dev: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev",
        abstract: "Run a private Redis and a reaper in the foreground: all that a laptop needs.",
        discussion: """
            The private redis-server listens on a unix socket that only you can open, and
            keeps its data over restarts. Every belay command of this user finds it by
            itself when REDIS_URL is not set. It goes on when this command ends: belay dev --stop
            ends it.
            """
    )

    @Flag(help: "End the private server; its data stays.")
    var stop = false

    @Flag(help: "Whether the private server runs: exit 0 if so, else 1.")
    var status = false

    @OptionGroup var global: GlobalOptions

    /// What is said of the server in JSON.
    private struct StatusView: Encodable {
        var isRunning: Bool
        var url: String
        var folder: String
    }

    func validate() throws {
        guard !(stop && status) else { throw ValidationError("--stop and --status exclude each other") }
        guard global.redis == nil else { throw ValidationError("dev runs a private server; --redis names another") }
    }

    func run() async throws {
        let server = try EmbeddedRedis(environment: global.environment)
        if stop { return try await end(server) }
        if status { return try tell(server) }
        var global = global
        global.redis = try await server.ensureRunning()
        let output = global.output
        if output.isJSON {
            output.json(StatusView(isRunning: true, url: server.url, folder: server.folder))
        } else {
            output.line("redis-server at \(server.url)")
            output.line("data in \(server.folder)")
            output.line("other programs: export REDIS_URL='\(server.url)'")
        }
        try await global.withSession(logging: .notice) { session in
            try await session.tracker.open()
            try await session.serve([try Reaper(session.tracker), StatusLine(session: session)])
        }
    }

    private func end(_ server: EmbeddedRedis) async throws {
        let didRun = try await server.stop()
        if global.json {
            global.output.json(StatusView(isRunning: false, url: server.url, folder: server.folder))
        } else {
            global.output.note(
                didRun ? "the private redis-server has ended; its data is in \(server.folder)" : "none was running"
            )
        }
    }

    private func tell(_ server: EmbeddedRedis) throws {
        let isRunning = server.isRunning
        if global.json {
            global.output.json(StatusView(isRunning: isRunning, url: server.url, folder: server.folder))
        } else {
            global.output.line(isRunning ? "running at \(server.url)" : "not running")
        }
        if !isRunning { throw Failure.silently(ExitStatus.failed.rawValue) }
    }
}

/// A line on stderr that says how many tasks are where: rewritten on a terminal, else written when it changes.
private struct StatusLine: Service {
    let session: Session

    func run() async throws {
        let isTerminal = Terminal.isTerminal(2)
        await cancelWhenGracefulShutdown {
            var last = ""
            while !Task.isCancelled {
                let line = (try? await session.tracker.stats()).map(Self.text) ?? "redis-server does not answer"
                if isTerminal {
                    Terminal.write("\r\u{1b}[K\(Escaping.truncate(line, to: session.output.width ?? 80))", to: 2)
                } else if line != last {
                    Terminal.write(line + "\n", to: 2)
                }
                last = line
                try? await Task.sleep(for: .seconds(1))
            }
            if isTerminal { Terminal.write("\r\u{1b}[K", to: 2) }
        }
    }

    private static func text(_ stats: TrackerStats) -> String {
        func sum(_ part: KeyPath<TrackerStats.Kind, Int>) -> Int { stats.kinds.reduce(0) { $0 + $1[keyPath: part] } }
        return
            "\(sum(\.ready)) ready  \(sum(\.scheduled)) later  \(sum(\.running)) running  \(sum(\.paused)) paused  "
            + "\(sum(\.succeeded)) succeeded  \(sum(\.exhausted)) exhausted  \(sum(\.cancelled)) cancelled  "
            + "\(sum(\.ignored)) ignored  |  \(stats.kinds.count) kinds, \(stats.workers) workers"
    }
}
