import Belay
import Synchronization

/// The demo's live line: rewritten on a terminal, else a plain line a second.
final class DemoProgress: Sendable {
    private struct State {
        var begun = ContinuousClock.now
        var lastLine = ContinuousClock.now - .seconds(10)
        var samples: [(at: ContinuousClock.Instant, done: Int)] = []
    }

    private let output: Output
    private let total: Int
    private let isLive: Bool
    private let state = Mutex(State())

    init(_ output: Output, total: Int) {
        self.output = output
        self.total = total
        isLive = Terminal.isTerminal(2)
    }

    /// A line that stays.
    func say(_ text: String) {
        let at = Span.text(state.withLock(\.begun).duration(to: .now))
        let gap = String(repeating: " ", count: max(0, 6 - at.count))
        Terminal.write("\(isLive ? "\r\u{1b}[K" : "")\(gap)\(at)  \(text)\n", to: 2)
    }

    /// Shows where the tasks are.
    func update(_ counts: TrackerStats.Kind) {
        let done = counts.succeeded + counts.exhausted + counts.cancelled
        let now = ContinuousClock.now
        let (rate, isTime) = state.withLock { state in
            state.samples.append((now, done))
            state.samples.removeAll { $0.at < now - .seconds(2) }
            let span = state.samples.first.map { $0.at.duration(to: now).seconds } ?? 0
            let rate = span > 0.05 ? Double(done - (state.samples.first?.done ?? 0)) / span : 0
            let isTime = now - state.lastLine >= (isLive ? .milliseconds(100) : .seconds(1))
            if isTime { state.lastLine = now }
            return (rate, isTime)
        }
        guard isTime else { return }
        let tail =
            "\(done)/\(total)  \(Int(rate.rounded()))/s  \(counts.ready) ready  \(counts.running) running  "
            + "\(counts.scheduled) later  \(counts.exhausted) exhausted"
        if isLive {
            let width = output.width ?? 80
            let bar = bar(done, columns: max(10, width - tail.count - 4))
            let line = Escaping.truncate("\(bar)  \(tail)", to: width - 1)
            Terminal.write("\r\u{1b}[K\(line)", to: 2)
        } else {
            say(tail)
        }
    }

    /// Clears the live line.
    func end() { if isLive { Terminal.write("\r\u{1b}[K", to: 2) } }

    private func bar(_ done: Int, columns: Int) -> String {
        let columns = min(40, columns)
        let full = total == 0 ? 0 : done * columns / total
        return String(repeating: "█", count: full) + String(repeating: "░", count: columns - full)
    }
}
