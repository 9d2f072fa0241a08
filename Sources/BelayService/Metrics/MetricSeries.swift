import Metrics
import Synchronization

/// The numbers of one metric with one set of labels, whatever sort it is of.
final class MetricSeries: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler {
    private struct State {
        var value = 0.0
        var count = 0
        var buckets: [Int]
    }

    let name: String
    let labels: String
    private let bounds: [Double]
    private let state: Mutex<State>

    /// - Parameter bounds: The upper ends of a histogram's buckets; none for a single number.
    init(name: String, labels: String, bounds: [Double]) {
        self.name = name
        self.labels = labels
        self.bounds = bounds
        state = Mutex(State(buckets: [Int](repeating: 0, count: bounds.count)))
    }

    func increment(by amount: Int64) { increment(by: Double(amount)) }
    func increment(by amount: Double) { state.withLock { $0.value += amount } }
    func decrement(by amount: Double) { increment(by: -amount) }
    func reset() { set(0.0) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { state.withLock { $0.value = value } }
    func record(_ value: Int64) { record(Double(value)) }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func record(_ value: Double) {
        guard !bounds.isEmpty else { return set(value) }
        let bucket = bounds.firstIndex { value <= $0 }
        state.withLock { state in
            state.value += value
            state.count += 1
            if let bucket { state.buckets[bucket] += 1 }
        }
    }

    func write(into text: inout Exposition) {
        let state = state.withLock { $0 }
        guard !bounds.isEmpty else { return text.sample(name, labels, state.value) }
        var sum = 0
        for (bound, count) in zip(bounds, state.buckets) {
            sum += count
            let bucket = Exposition.labels(labels, and: "le", Exposition.number(bound))
            text.sample("\(name)_bucket", bucket, Double(sum))
        }
        text.sample("\(name)_bucket", Exposition.labels(labels, and: "le", "+Inf"), Double(state.count))
        text.sample("\(name)_sum", labels, state.value)
        text.sample("\(name)_count", labels, Double(state.count))
    }
}
