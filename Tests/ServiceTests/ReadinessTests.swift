import Belay
import BelayTestKit
import Testing

@testable import BelayService

@Suite("Readiness")
struct ReadinessTests {
    private func tracker(_ server: PrivateRedisServer) throws -> Tracker {
        try Tracker(url: server.url, namespace: "test")
    }

    @Test("is proved by claim, renewal and reaping, which leave nothing behind")
    func ready() async throws {
        try await withPrivateRedisServer { server in
            let tracker = try tracker(server)
            let readiness = Readiness(try Dispatcher(tracker).trackers)
            let report = await readiness.check()
            #expect(report.problem == nil)
            let names = report.steps.map(\.name)
            #expect(names.first == "enqueue")
            #expect(names.suffix(4) == ["expire", "reap", "delete", "undefine"])
            #expect(names.contains("claim") && names.contains("renew"))
            #expect(report.json["ready"] == true)
            #expect(try await tracker.kinds().isEmpty)
            await tracker.close()
        }
    }

    @Test("is computed once for those who ask together, and stands beside other probes")
    func together() async throws {
        try await withPrivateRedisServer { server in
            let tracker = try tracker(server)
            let trackers = try Dispatcher(tracker).trackers
            let (one, other) = (Readiness(trackers), Readiness(trackers))
            let reports = await withTaskGroup(of: Readiness.Report.self) { group in
                for number in 0..<20 { group.addTask { await (number.isMultiple(of: 2) ? one : other).check() } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(reports.allSatisfy { $0.problem == nil })
            #expect(Set(reports.map(\.steps)).count == 2)
            await tracker.close()
        }
    }

    @Test("ends when the server does, names the step, and comes back with it")
    func notReady() async throws {
        try await withPrivateRedisServer { server in
            let tracker = try tracker(server)
            let readiness = Readiness(try Dispatcher(tracker).trackers, limit: .seconds(2), freshness: .zero)
            #expect(await readiness.check().problem == nil)
            server.kill9()
            let problem = try #require(await readiness.check().problem)
            #expect(problem.code == .notReady)
            #expect(problem.detail.hasPrefix("enqueue in test: "))
            #expect(problem.isRetriable)
            try await server.restart()
            var report = await readiness.check()
            for _ in 0..<50 where report.problem != nil { report = await readiness.check() }
            #expect(report.problem == nil)
            await tracker.close()
        }
    }

    @Test("has a limit when the server says nothing at all")
    func silent() async throws {
        try await withPrivateRedisServer { server in
            let tracker = try tracker(server)
            let readiness = Readiness(try Dispatcher(tracker).trackers, limit: .milliseconds(300), freshness: .zero)
            try await tracker.open()
            server.pause()
            defer { server.resume() }
            let problem = try #require(await readiness.check().problem)
            #expect(problem.detail.contains("enqueue in test"))
            await tracker.close()
        }
    }

    @Test("leaves a manual clock alone")
    func manual() async throws {
        try await withService { service, clock in
            let before = clock.now
            let report = await Readiness(service.trackers).check()
            #expect(report.problem == nil)
            #expect(report.steps.map(\.name) == ["enqueue", "claim", "renew", "reap", "delete", "undefine"])
            #expect(clock.now == before)
        }
    }

    @Test("deletes what a probe left that was killed")
    func leftovers() async throws {
        try await withService { service, clock in
            let tracker = try service.trackers.tracker()
            try await tracker.enqueue(
                [NewTask("belay.readyz.old", options: .init(id: "belay.readyz.old#probe"))],
                policy: .default
            )
            clock.advance(by: .seconds(3600))
            #expect(await Readiness(service.trackers).check().problem == nil)
            #expect(try await tracker.get("belay.readyz.old#probe") == nil)
            #expect(try await tracker.kinds().map(\.name) == [])
        }
    }

    @Test("is 503 over HTTP, with the reason")
    func http() async throws {
        try await withPrivateRedisServer { server in
            let tracker = try tracker(server)
            try await withHTTP(try Dispatcher(tracker)) { client in
                let good = try await client.get("/readyz")
                #expect(good.status == 200)
                #expect(good.json.at("steps.0.step") == "enqueue")
                server.kill9()
                var bad = try await client.get("/readyz")
                // The proof before is good for a second.
                while bad.status == 200 { bad = try await client.get("/readyz") }
                #expect(bad.status == 503)
                #expect(bad.code == "notReady")
                #expect(bad.headers["retry-after"] == "1")
                #expect(try await client.get("/livez").status == 200)
                let metrics = try await client.get("/metrics")
                #expect(metrics.status == 200)
                #expect(metrics.text.contains("belay_up{namespace=\"test\"} 0"))
            }
            await tracker.close()
        }
    }
}
