import Belay
import BelayTestKit
import Metrics
import Testing

@testable import BelayService

/// Metrics as a scraper reads them; anything that the format does not allow is an issue of the test.
private struct Scrape {
    var types: [String: String] = [:]
    var samples: [String: Double] = [:]

    init(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let sample = /([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*",?)+\})? (\S+)/
        var family = ""
        #expect(text.hasSuffix("\n"), sourceLocation: sourceLocation)
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# HELP ") { continue }
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                #expect(types[String(words[2])] == nil, "\(line) twice", sourceLocation: sourceLocation)
                family = String(words[2])
                types[family] = String(words[3])
                continue
            }
            let match = try #require(try sample.wholeMatch(in: line), "\(line)", sourceLocation: sourceLocation)
            let name = String(match.output.1)
            let isPart = types[family] == "histogram" && ["_bucket", "_sum", "_count"].contains { name == family + $0 }
            #expect(name == family || isPart, "\(line) stands in \(family)", sourceLocation: sourceLocation)
            let labels = match.output.2.map(String.init) ?? ""
            #expect(samples[name + labels] == nil, "\(line) twice", sourceLocation: sourceLocation)
            samples[name + labels] = Double(match.output.3.replacing("Inf", with: "inf"))
        }
        for (name, type) in types where type == "counter" {
            #expect(name.hasSuffix("_total"), sourceLocation: sourceLocation)
        }
    }
}

@Suite("Metrics")
struct MetricsTests {
    private func scrape(_ metrics: PrometheusMetrics) throws -> Scrape {
        var text = Exposition()
        metrics.write(into: &text)
        return try Scrape(text.text)
    }

    @Test("of every sort are written as Prometheus reads them")
    func sorts() throws {
        let metrics = PrometheusMetrics()
        Counter(label: "belay.reaped", factory: metrics).increment(by: 3)
        Counter(label: "belay.reaped", factory: metrics).increment()
        FloatingPointCounter(label: "work.done_total", factory: metrics).increment(by: 0.5)
        Meter(label: "http.active", factory: metrics).set(5)
        Meter(label: "http.active", factory: metrics).decrement(by: 2)
        Gauge(label: "level", factory: metrics).record(0.25)
        let recorder = Recorder(label: "size", dimensions: [("kind", "a")], factory: metrics)
        for size in [1, 2, 2, 3, 5_000_000_000] { recorder.record(size) }
        let timer = Metrics.Timer(label: "belay.run.duration", dimensions: [("kind", "a")], factory: metrics)
        timer.recordMilliseconds(30)
        timer.recordSeconds(100_000)
        let scrape = try scrape(metrics)
        #expect(scrape.types["belay_reaped_total"] == "counter")
        #expect(scrape.samples["belay_reaped_total"] == 4)
        #expect(scrape.samples["work_done_total"] == 0.5)
        #expect(scrape.samples["http_active"] == 3)
        #expect(scrape.samples["level"] == 0.25)
        #expect(scrape.samples["size_bucket{kind=\"a\",le=\"1\"}"] == 1)
        #expect(scrape.samples["size_bucket{kind=\"a\",le=\"2\"}"] == 3)
        #expect(scrape.samples["size_bucket{kind=\"a\",le=\"1000000000\"}"] == 4)
        #expect(scrape.samples["size_bucket{kind=\"a\",le=\"+Inf\"}"] == 5)
        #expect(scrape.samples["size_count{kind=\"a\"}"] == 5)
        #expect(scrape.types["belay_run_duration_seconds"] == "histogram")
        #expect(scrape.samples["belay_run_duration_seconds_bucket{kind=\"a\",le=\"0.025\"}"] == 0)
        #expect(scrape.samples["belay_run_duration_seconds_bucket{kind=\"a\",le=\"0.05\"}"] == 1)
        #expect(scrape.samples["belay_run_duration_seconds_sum{kind=\"a\"}"] == 100_000.03)
    }

    @Test("have clean names and escaped values")
    func escaping() throws {
        let metrics = PrometheusMetrics()
        Counter(label: "1 bad-näme", dimensions: [("le", "a"), ("a-b", "x\"y\\z\n"), ("__x", "")], factory: metrics)
            .increment()
        let scrape = try scrape(metrics)
        #expect(
            scrape.samples == [
                "_1_bad_n_me_total{label_le=\"a\",a_b=\"x\\\"y\\\\z\\n\",label___x=\"\"}": 1
            ]
        )
    }

    @Test("of one name and two sorts stay apart; what is destroyed is gone")
    func conflicts() throws {
        let metrics = PrometheusMetrics()
        Meter(label: "x", factory: metrics).set(1)
        Recorder(label: "x", factory: metrics).record(1)
        let counter = Counter(label: "y", factory: metrics)
        counter.increment()
        counter.destroy()
        let scrape = try scrape(metrics)
        #expect(scrape.types == ["x": "gauge", "x_histogram": "histogram"])
    }

    @Test("are bounded, whatever a program measures")
    func bounds() throws {
        let metrics = PrometheusMetrics()
        for number in 0..<(PrometheusMetrics.seriesLimit + 500) {
            Counter(label: "many", dimensions: [("id", "\(number)")], factory: metrics).increment()
        }
        for number in 0..<(PrometheusMetrics.familyLimit + 100) {
            Meter(label: "family.\(number)", factory: metrics).set(1)
        }
        let scrape = try scrape(metrics)
        #expect(scrape.types.count == PrometheusMetrics.familyLimit)
        #expect(scrape.samples["many_total{id=\"other\"}"] == 500)
        #expect(scrape.samples.keys.filter { $0.hasPrefix("many") }.count == PrometheusMetrics.seriesLimit + 1)
    }

    @Test("over HTTP show tasks by state, requests by verb and status, and what the process counts")
    func http() async throws {
        let metrics = PrometheusMetrics()
        Counter(label: "belay.reaped", factory: metrics).increment()
        try await withInMemoryTracker(namespace: "media") { tracker, clock in
            try await withHTTP(try Dispatcher(tracker, clock: clock), metrics: metrics) { client in
                let base = "/v1/media"
                _ = try await client.send("POST", "\(base)/define", #"{"kind":"k"}"#)
                _ = try await client.send(
                    "POST",
                    "\(base)/enqueue",
                    #"{"tasks":[{"kind":"k"},{"kind":"k","delay":9}]}"#
                )
                _ = try await client.send("POST", "\(base)/claim", "{}")
                _ = try await client.send("POST", "\(base)/made-up", "{}")
                _ = try await client.send("POST", "\(base)/beat", #"{"kinds":["k"],"worker":"h:1:a"}"#)
                _ = try await client.get("/readyz")
                let answer = try await client.get("/metrics")
                #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
                let scrape = try Scrape(answer.text)
                func tasks(_ state: String) -> Double? {
                    scrape.samples["belay_tasks{namespace=\"media\",kind=\"k\",state=\"\(state)\"}"]
                }
                #expect(tasks("ready") == 1)
                #expect(tasks("scheduled") == 1)
                #expect(tasks("paused") == 0)
                #expect(tasks("ignored") == 0)
                let age = try #require(scrape.samples["belay_oldest_ready_age_seconds{namespace=\"media\",kind=\"k\"}"])
                #expect((0..<0.001).contains(age))
                #expect(scrape.samples["belay_up{namespace=\"media\"}"] == 1)
                #expect(scrape.samples["belay_workers{namespace=\"media\"}"] != nil)
                #expect(scrape.samples["belay_workers_alive{namespace=\"media\"}"] == 1)
                #expect(scrape.samples["belay_reaped_total"] == 1)
                #expect(scrape.samples["belay_http_requests_total{verb=\"enqueue\",status=\"200\"}"] == 1)
                #expect(scrape.samples["belay_http_requests_total{verb=\"claim\",status=\"400\"}"] == 1)
                #expect(scrape.samples["belay_http_requests_total{verb=\"unknown\",status=\"404\"}"] == 1)
                #expect(scrape.samples["belay_http_request_duration_seconds_count{verb=\"enqueue\"}"] == 1)
                #expect(!answer.text.contains("readyz\",state"))
                #expect(answer.text.contains("belay_build_info{version=\"\(ServiceVersion.number)\",schema=\"1\""))
            }
        }
    }

    @Test("sum up the kinds beyond the limit")
    func manyKinds() async throws {
        try await withInMemoryTracker { tracker, _ in
            for number in 0..<(TrackerGauges.kindLimit + 10) {
                let kind = try KindName("k\(1000 + number)")
                try await tracker.define(kind)
                try await tracker.enqueue([NewTask(kind)])
            }
            var text = Exposition()
            await TrackerGauges.write(try Dispatcher(tracker).trackers, limit: .seconds(5), into: &text)
            let scrape = try Scrape(text.text)
            #expect(scrape.samples["belay_tasks{namespace=\"test\",kind=\"(other)\",state=\"ready\"}"] == 10)
            #expect(
                scrape.samples.keys.filter { $0.hasPrefix("belay_tasks") }.count == 9 * (TrackerGauges.kindLimit + 1)
            )
        }
    }
}
