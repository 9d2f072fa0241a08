import ArgumentParser
import Belay
import Logging

/// The demo and its workers.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "See it all on real files: workers, a SIGKILL, a reaper, retries, proof that nothing was lost.",
        subcommands: [DemoShow.self, DemoWorker.self],
        defaultSubcommand: DemoShow.self
    )
}

/// Shows the main job.
struct DemoShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Compute checksums of all files under a folder with three worker processes, one of which is killed.",
        discussion: """
            One task for each file under PATH (.git and .build apart), and one whose input
            cannot be read. Worker processes compute SHA-256 and lines; one of them is
            killed with SIGKILL while it holds tasks; a reaper process takes these back;
            the unreadable input is tried three times and ends exhausted, with its error
            kept. At the end each checksum is compared with that of sha256sum. Exit 1 when
            a task was lost, done twice or wrong.

            Each file takes at least --floor, by default so long that the whole takes about
            four seconds; large trees have no floor to speak of. Everything happens in a
            namespace of its own, which is deleted afterwards.
            """
    )

    @Argument(help: "The folder.")
    var path = "."

    @Option(help: "Worker processes, 2 to 16.")
    var workers = 3

    @Option(help: "Tasks that a worker process runs at once.")
    var slots = 4

    @Option(help: "The least time for a file.", transform: Span.parse)
    var floor: Span?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard (2...16).contains(workers) else { throw ValidationError("--workers must be 2 to 16") }
        guard (1...64).contains(slots) else { throw ValidationError("--slots must be 1 to 64") }
    }

    func run() async throws {
        let files = try FileTree.files(under: path)
        guard !files.isEmpty else { throw Failure(.notFound, "no files under “\(Escaping.line(path))”") }
        let capacity = workers * slots
        let floor = floor?.duration ?? min(.seconds(1), .seconds(4) * capacity / files.count)
        let namespace = "demo-" + String(UInt64.random(in: .min ... .max), radix: 36)
        try await global.withSession(namespace: namespace) { session in
            let folder = try FileTree.makeTemporary()
            let show = try DemoRun(
                session: session,
                files: files,
                folder: folder,
                settings: .init(workers: workers, slots: slots, floor: floor)
            )
            let supervisor = Supervisor(children: show.children)
            var ended: Supervisor.End?
            var thrown: (any Error)?
            do { ended = try await supervisor.run { try await show.run() } } catch { thrown = error }
            show.removeFolder()
            try await session.tracker.destroy()
            if let thrown { throw thrown }
            try ended?.throwIfSignalled()
        }
    }
}

/// One worker process of the demo.
struct DemoWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "One of the demo's workers: computes checksums until SIGTERM."
    )

    @Option(help: "Tasks at once.")
    var slots = 4

    @Option(help: "The least time for a file.", transform: Span.parse)
    var floor = Span(.zero)

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await global.withSession { session in
            var configuration = Worker.Configuration()
            configuration.slots = slots
            configuration.gracePeriod = .seconds(5)
            let handler = Checksum.handler(floor: floor.duration)
            try await session.serve([Worker(session.tracker, configuration: configuration, handlers: [handler])])
        }
    }
}
