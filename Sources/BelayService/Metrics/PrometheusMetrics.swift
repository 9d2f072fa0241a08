public import Metrics
import Synchronization

/// Keeps all metrics of the process for `/metrics`: counters, gauges, and histograms for timers and recorders.
///
/// ```swift
/// let metrics = PrometheusMetrics()
/// MetricsSystem.bootstrap(metrics)
/// ```
///
/// Names are those of swift-metrics with `_` for every dot: `belay.reaped` is `belay_reaped_total`, the timer
/// `belay.run.duration` is the histogram `belay_run_duration_seconds`. What a program may measure is bounded: a family has
/// at most ``seriesLimit`` sets of labels, and there are at most ``familyLimit`` families; what comes later is counted
/// together under the label value `other`, or not shown.
public final class PrometheusMetrics: MetricsFactory {
    /// The most sets of labels of one metric: 1,000.
    public static let seriesLimit = 1000
    /// The most metrics: 500.
    public static let familyLimit = 500
    /// The upper ends of the buckets of timers, seconds.
    public static let secondsBuckets = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600,
    ]
    /// The upper ends of the buckets of recorders.
    public static let plainBuckets: [Double] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 1e4, 1e5, 1e6, 1e9]

    private struct Family {
        var sort: Exposition.Sort
        var help: String
        var series: [String: MetricSeries] = [:]
    }
    private let families = Mutex<[String: Family]>([:])

    /// No metrics yet.
    public init() {}

    /// All metrics as text, by name.
    func write(into text: inout Exposition) {
        for (name, family) in families.withLock({ $0.sorted { $0.key < $1.key } }) where !family.series.isEmpty {
            text.family(name, family.sort, family.help)
            for (_, series) in family.series.sorted(by: { $0.key < $1.key }) { series.write(into: &text) }
        }
    }

    private func series(
        _ label: String,
        _ dimensions: [(String, String)],
        _ sort: Exposition.Sort,
        suffix: String = "",
        bounds: [Double] = []
    ) -> MetricSeries {
        var name = Exposition.metricName(label)
        if !name.hasSuffix(suffix) { name += suffix }
        return families.withLock { families in
            // One name cannot be of two sorts.
            if let known = families[name], known.sort != sort { name += "_\(sort.rawValue)" }
            guard families[name] != nil || families.count < Self.familyLimit else {
                return MetricSeries(name: name, labels: "", bounds: bounds)
            }
            var family = families[name] ?? Family(sort: sort, help: "\(label), a \(sort.rawValue) of the process.")
            var labels = Exposition.labels(dimensions)
            if family.series[labels] == nil, family.series.count >= Self.seriesLimit {
                labels = Exposition.labels(dimensions.map { ($0.0, "other") })
            }
            if let known = family.series[labels] { return known }
            let series = MetricSeries(name: name, labels: labels, bounds: bounds)
            family.series[labels] = series
            families[name] = family
            return series
        }
    }

    private func remove(_ handler: AnyObject) {
        guard let series = handler as? MetricSeries else { return }
        families.withLock { families in
            // Another one may stand there since.
            if families[series.name]?.series[series.labels] === series {
                families[series.name]?.series[series.labels] = nil
            }
        }
    }

    // MARK: MetricsFactory

    /// A number that grows.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter, suffix: "_total")
    }
    /// A number that grows by fractions.
    public func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler { series(label, dimensions, .counter, suffix: "_total") }
    /// A number that goes up and down.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge)
    }
    /// A distribution, or the last number of several.
    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        aggregate
            ? series(label, dimensions, .histogram, bounds: Self.plainBuckets) : series(label, dimensions, .gauge)
    }
    /// A distribution of durations.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .histogram, suffix: "_seconds", bounds: Self.secondsBuckets)
    }
    /// Forgets it.
    public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    /// Forgets it.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
    /// Forgets it.
    public func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    /// Forgets it.
    public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    /// Forgets it.
    public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }
}
