import ArgumentParser
import Belay
import Logging

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The demo and its workers.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "See it all on real files: workers, a SIGKILL, a reaper, retries, proof that nothing was lost.",
        subcommands: [DemoShow.self, DemoWorker.self, PipelineWorker.self, PipelineDriver.self],
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

            With --pipeline it is a pipeline: scan, then checksum and classify beside each
            other, then report. Its driver and all workers are killed with SIGKILL in the
            middle, and started again; then it is run once more, and once more after one
            file has changed. Exit 1 when finished work was repeated, a product that could
            be used again was made again, a checksum is wrong, or the states that follow
            from the events are not those of the stats.
            """
    )

    @Argument(help: "The folder.")
    var path = "."

    @Flag(help: "Show a pipeline of four segments in place of the main job.")
    var pipeline = false

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
        let tasks = pipeline ? 3 * files.count : files.count
        let floor = floor?.duration ?? min(.seconds(1), .seconds(4) * capacity / tasks)
        let namespace = "demo-" + String(UInt64.random(in: .min ... .max), radix: 36)
        try await global.withSession(namespace: namespace) { session in
            let folder = try FileTree.makeTemporary()
            if pipeline {
                return try await showPipeline(
                    session,
                    files,
                    folder,
                    .init(workers: workers, slots: slots, floor: floor)
                )
            }
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

extension DemoShow {
    private func showPipeline(
        _ session: Session,
        _ files: [String],
        _ folder: String,
        _ settings: DemoRun.Settings
    ) async throws {
        let show = try PipelineDemo(session: session, files: files, folder: folder, settings: settings)
        let supervisor = Supervisor(children: show.children)
        var ended: Supervisor.End?
        var thrown: (any Error)?
        do { ended = try await supervisor.run { try await show.run() } } catch { thrown = error }
        try? FileManager.default.removeItem(atPath: folder)
        try await session.tracker.destroy()
        if let thrown { throw thrown }
        try ended?.throwIfSignalled()
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
