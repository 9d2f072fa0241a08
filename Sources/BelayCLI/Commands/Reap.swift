import ArgumentParser
import Belay
import Logging
import ServiceLifecycle

/// The sidecar that takes back tasks of dead workers.
struct Reap: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reap",
        abstract: "Take back tasks whose worker died, delete what was kept long enough; run it beside your services.",
        discussion: "Any number may run at once. SIGTERM or SIGINT ends it with exit code 0."
    )

    @Option(help: "The pause between sweeps, 10ms to 1h. Default: 1s.", transform: Span.parse)
    var interval = Span(.seconds(1))

    @Flag(help: "One sweep, then end, printing what was done.")
    var once = false

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await global.withSession(logging: once ? .warning : .info) { session in
            var configuration = Reaper.Configuration()
            configuration.interval = interval.duration
            let reaper = try Reaper(session.tracker, configuration: configuration)
            if once { return Self.report(try await reaper.sweep(), session.output) }
            try await session.tracker.open()
            session.logger.info(
                "reaping",
                metadata: ["tracker": "\(session.tracker.namespace)", "interval": "\(interval)"]
            )
            try await session.serve([reaper])
        }
    }

    private static func report(_ done: (reaped: [ReapedTask], purged: [PurgedTask]), _ output: Output) {
        guard output.isJSON else {
            for task in done.reaped { output.tell(task.id, "taken back from \(task.worker), now \(task.state)") }
            return output.line("\(done.reaped.count) taken back, \(done.purged.count) deleted")
        }
        for task in done.reaped { output.json(OutcomeView(id: task.id, kind: task.kind, outcome: "reaped")) }
        for task in done.purged { output.json(OutcomeView(id: task.id, kind: task.kind, outcome: "purged")) }
    }
}

extension Session {
    /// Runs services until they end or a signal comes; a second signal forces.
    func serve(_ services: [any Service]) async throws { try await Self.serve(services, logger: logger) }

    /// The same without a session.
    static func serve(_ services: [any Service], logger: Logger) async throws {
        let group = ServiceGroup(configuration: .init(services: services.map { .init(service: $0) }, logger: logger))
        let supervisor = Supervisor(grace: .seconds(10), onSignal: { await group.triggerGracefulShutdown() })
        let end = try await supervisor.run { try await group.run() }
        if end.isForced { try end.throwIfSignalled() }
    }
}
