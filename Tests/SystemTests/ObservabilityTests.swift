import Belay
import BelayTestKit
import Instrumentation
import Logging
import Metrics
import MetricsTestKit
import ServiceContextModule
import Synchronization
import Testing

private enum TraceKey: ServiceContextKey {
    typealias Value = String
}

/// Carries one value as `traceparent`, as a W3C tracer would.
private struct TestInstrument: Instrument {
    func inject<Carrier, Inject>(_ context: ServiceContext, into carrier: inout Carrier, using injector: Inject)
    where Inject: Injector, Inject.Carrier == Carrier {
        if let value = context[TraceKey.self] { injector.inject(value, forKey: "traceparent", into: &carrier) }
    }

    func extract<Carrier, Extract>(_ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract)
    where Extract: Extractor, Extract.Carrier == Carrier {
        context[TraceKey.self] = extractor.extract(key: "traceparent", from: carrier)
    }
}

/// What the ecosystem's back ends see. They are process-wide, so there is one test of each here and nowhere else.
@Suite("Observability", .serialized, .timeLimit(.minutes(1)))
struct ObservabilityTests {
    private static let metrics: TestMetrics = {
        let metrics = TestMetrics()
        MetricsSystem.bootstrap(metrics)
        InstrumentationSystem.bootstrap(TestInstrument())
        return metrics
    }()

    @Test("The trace context travels from enqueue to the handler")
    func trace() async throws {
        _ = Self.metrics
        try await withTracker { tracker, _ in
            let kind: KindName = "traced"
            try await tracker.define(kind)
            var context = ServiceContext.topLevel
            context[TraceKey.self] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            try await ServiceContext.withValue(context) { _ = try await tracker.enqueue([NewTask(kind)]) }
            try await tracker.enqueue([NewTask(kind)])
            let seen = Mutex<[String?]>([])
            try await withWorker(
                tracker,
                handlers: [
                    Handler(kind) { context in
                        let value = ServiceContext.current?[TraceKey.self]
                        seen.withLock { $0.append(value) }
                        return .empty
                    }
                ]
            ) {
                try await eventually { try await tracker.stats().kinds[0].succeeded == 2 }
            }
            let values = seen.withLock { $0 }
            #expect(values.contains("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
            #expect(values.contains(nil))
        }
    }

    @Test("Attempts, run time and wait time are counted by kind and outcome; the handler's logger carries the task")
    func metricsAndLog() async throws {
        let metrics = Self.metrics
        try await withTracker { tracker, _ in
            let kind: KindName = "measured"
            try await tracker.define(kind, policy: KindPolicy(retry: .fixed(.zero)))
            let id = try await tracker.enqueue([NewTask(kind)])[0].id
            let metadata = Mutex<Logger.Metadata>([:])
            try await withWorker(
                tracker,
                handlers: [
                    Handler(kind) { context in
                        metadata.withLock { metadata in
                            for key in ["task-id", "kind", "attempt", "worker"] {
                                metadata[key] = context.logger[metadataKey: key]
                            }
                        }
                        if context.claim.attempt == 1 { throw TaskFailure(type: "once", message: "") }
                        return .empty
                    }
                ]
            ) {
                try await eventually { try await tracker.stats().kinds[0].succeeded == 1 }
            }
            func count(_ outcome: String) throws -> Int64 {
                try metrics.expectCounter("belay.attempts", [("kind", "measured"), ("outcome", outcome)]).totalValue
            }
            #expect(try count("succeeded") == 1)
            #expect(try count("failed") == 1)
            #expect(try metrics.expectTimer("belay.run.duration", [("kind", "measured")]).values.count == 2)
            #expect(try metrics.expectTimer("belay.wait.duration", [("kind", "measured")]).values.count == 2)
            let seen = metadata.withLock { $0 }
            #expect(
                seen["task-id"] == "\(id)" && seen["kind"] == "measured" && seen["attempt"] == "2"
                    && seen["worker"] != nil
            )
        }
    }
}
