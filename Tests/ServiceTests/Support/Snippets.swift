// swift-format-ignore-file
// The Swift of the README and of the documentation, so that it is compiled: each block between a line with its file and its
// place in it, and `// end`. Nothing of it is run. `SnippetTests` compares the two.
import Belay
import BelayService
import Logging
import ServiceLifecycle
import UnixSignals

private func render<Job: Sendable>(_ job: Job) async throws -> String { "\(job)" }
private func makeReport() async throws -> String { "" }
private struct Book: Codable, Sendable { var id: Int }

private func start(logger: Logger) async throws {
    // README.md 1
    struct Thumbnail: Codable, Sendable { var image: String; var width: Int }
    let thumbnails = TaskKind<Thumbnail, String>("thumbnail", policy: KindPolicy(lease: .seconds(20), attempts: 3))

    let tracker = try Tracker(url: "redis://localhost:6379", namespace: "media")
    try await tracker.enqueue(thumbnails, Thumbnail(image: "a.png", width: 320))

    let worker = try Worker(tracker, handlers: [Handler(thumbnails) { job, context in try await render(job) }])
    try await ServiceGroup(services: [worker, Reaper(tracker)], gracefulShutdownSignals: [.sigterm], logger: logger).run()
    // end
    let images: [String] = []
    // README.md 5
    try await tracker.withBufferedWriter { writer in
        for image in images { try await writer.enqueue(thumbnails, Thumbnail(image: image, width: 320)) }
    }
    // end
    do {
        // Sources/Belay/Belay.docc/Belay.md 1
        let tracker = try Tracker(url: "redis://localhost:6379", namespace: "media")
        try await tracker.enqueue(thumbnails, Thumbnail(image: "a.png", width: 320))
        let worker = try Worker(tracker, handlers: [Handler(thumbnails) { job, context in try await render(job) }])
        try await ServiceGroup(services: [worker, Reaper(tracker)], gracefulShutdownSignals: [.sigterm], logger: logger).run()
        // end
    }
}

private func hold(_ tracker: Tracker) async throws {
    // README.md 2
    let result = try await tracker.withClaim(on: "nightly-report", for: .seconds(60)) { context in try await makeReport() }
    // end
    print(result)
}

private func follow(
    _ tracker: Tracker, _ rendering: TaskKind<Int, String>, _ pageNumbers: [Int], _ binding: TaskKind<Book, String>,
    _ alarms: TaskKind<String, String>
) async throws {
    // README.md 3
    var flow = try Flow("album-7")
    let pages = try flow.group(rendering, pageNumbers)
    try flow.add(binding, Book(id: 7), after: [pages], when: .success)
    try flow.add(alarms, "a page failed", after: [pages], when: .exhausted)
    try await tracker.enqueue(flow)
    // end
}

private func feed(_ tracker: Tracker, _ paths: [Body]) async throws {
    // README.md 4
    let pipeline = try Pipeline([
        Segment("scan", version: "2"),
        Segment("checksum", parents: ["scan"]), Segment("classify", parents: ["scan"]),
        Segment("report", parents: ["checksum", "classify"], rule: .gather),
    ])
    print(try await PipelineRunner(tracker, pipeline, inputs: ["scan": paths]).execute())
    // end
}

private func serve(_ url: String, logger: Logger) async throws {
    // Sources/BelayService/BelayService.docc/BelayService.md 1
    let trackers = try Trackers(["media"]) { name throws(TrackerError) in try Tracker(url: url, namespace: name) }
    let service = try HTTPService(Dispatcher(trackers), metrics: PrometheusMetrics(), configuration: .init(), logger: logger)
    try await ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm], logger: logger).run()
    // end
}
