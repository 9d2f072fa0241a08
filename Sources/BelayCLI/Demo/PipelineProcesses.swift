import ArgumentParser
import Belay

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// One worker process of the demo's pipeline.
struct PipelineWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipeline-worker",
        abstract: "One of the pipeline's workers: does tasks of all segments until SIGTERM.",
        shouldDisplay: false
    )

    @Option(help: "Tasks at once.")
    var slots = 4

    @Option(help: "The least time for a task.", transform: Span.parse)
    var floor = Span(.zero)

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await global.withSession { session in
            var configuration = Worker.Configuration()
            configuration.slots = slots
            configuration.gracePeriod = .seconds(5)
            let handlers = try FilePipeline.handlers(on: session.tracker, floor: floor.duration)
            try await session.serve([Worker(session.tracker, configuration: configuration, handlers: handlers)])
        }
    }
}

/// The driver of the demo's pipeline.
struct PipelineDriver: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipeline-driver",
        abstract: "Runs the pipeline to its end and writes what it came to as JSON.",
        shouldDisplay: false
    )

    @Argument(help: "A JSON list of the files.")
    var inputs: String

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let data = try Data(contentsOf: URL(filePath: inputs))
        let files = try JSONDecoder().decode([FilePipeline.Listed].self, from: data)
        try await global.withSession { session in
            let runner = try PipelineRunner(
                session.tracker,
                FilePipeline.pipeline(),
                inputs: ["scan": try files.map { try Body(encoding: $0) }]
            )
            session.output.json(try await runner.execute())
        }
    }
}
