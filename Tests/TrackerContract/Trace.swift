import BelayTestKit

@testable import Belay

/// One step of a trace: the clock moves, or a verb is sent.
struct Step: Sendable, CustomStringConvertible {
    enum Action: Sendable {
        case move(Duration)
        case call(@Sendable (Tracker) async -> String)
    }

    /// Told only when it matters: most steps are never shown.
    let text: @Sendable () -> String
    let action: Action

    var description: String { text() }

    static func move(_ duration: Duration) -> Step {
        Step(text: { "clock += \(duration)" }, action: .move(duration))
    }

    static func call<V: Verb>(_ verb: V) -> Step {
        Step(text: { text(of: verb) }, action: .call { tracker in await answer(of: verb, from: tracker.backend) })
    }

    /// Every event so far without its position: the ids of a stream are the server's own.
    static let events = Step(
        text: { "events" },
        action: .call { tracker in
            do throws(TrackerError) {
                var lines: [String] = []
                var page = try await tracker.events(from: .oldest)
                while !page.events.isEmpty {
                    lines += page.events.map(line)
                    guard let position = page.position else { break }
                    page = try await tracker.events(from: .after(position))
                    if page.isLost { lines.append("lost") }
                }
                return lines.joined(separator: "\n")
            } catch { return "\(error)" }
        }
    )

    private static func line(_ event: TrackerEvent) -> String {
        let place = "\(event.position)".split(separator: "/").last ?? ""
        return "\(place) \(event.name) \(event.time.microseconds) \(event.kind?.description ?? "-") "
            + "\(event.task?.description ?? "-") \(event.worker ?? "-") \(event.detail)"
    }

    static let destroy = Step(
        text: { "destroy" },
        action: .call { tracker in
            do throws(TrackerError) { try await tracker.destroy() } catch { return "\(error)" }
            return "destroyed"
        }
    )

    /// A verb without module names and long bodies.
    private static func text(of verb: some Verb) -> String {
        "\(verb)".replacing("Belay.", with: "").replacing(/bytes: \[([^\]]*)\]/) { match in
            "\(match.output.1.split(separator: ",").count) bytes"
        }.replacing(/("ä){4,}/, with: "…")
    }

    /// The answer as text; sets in order, errors by their code.
    private static func answer<V: Verb>(of verb: V, from backend: any TrackerBackend) async -> String {
        do throws(TrackerError) {
            let answer = try await backend.perform(verb)
            if let answer = answer as? Enqueue.Response {
                return "\(answer.duplicates.sorted()) \(answer.full.sorted { $0.key < $1.key }) "
                    + "\(answer.repeated.sorted { $0.key < $1.key }) \(answer.reused.sorted())"
            }
            if answer is Explanation? {
                // A reason's own text leaves out and rounds.
                var text = ""
                dump(answer, to: &text)
                return text
            }
            return "\(answer)"
        } catch {
            return error.code == .protocolViolation || error.code == .server ? "\(error)" : "error \(error.code)"
        }
    }
}

/// Where two backends differed.
struct Difference: CustomStringConvertible {
    let steps: [Step]
    let answers: (redis: String, memory: String)

    var description: String {
        let list = steps.enumerated().map { "  \($0). \($1)" }.joined(separator: "\n")
        let common = zip(answers.redis, answers.memory).prefix { $0 == $1 }.count
        func part(_ text: String) -> Substring { text.dropFirst(max(0, common - 80)).prefix(400) }
        return "after\n\(list)\nRedis:     …\(part(answers.redis))\nin memory: …\(part(answers.memory))"
    }
}

/// A list of steps, sent to both backends at once.
enum Trace {
    /// Sends the steps to fresh trackers and compares each answer.
    /// - Returns: The first difference, nil when there is none, and how many answers were compared.
    static func run(
        _ steps: [Step],
        partitions: Int = 1
    ) async throws -> (difference: Difference?, compared: Int) {
        let clock = ManualClock()
        return try await withRedisTracker(clock: clock, partitions: partitions) { redis in
            let memory = Tracker.inMemory(clock: clock, partitions: partitions)
            try await redis.open()
            try await memory.open()
            var compared = 0
            for (place, step) in steps.enumerated() {
                switch step.action {
                case .move(let duration): clock.advance(by: duration)
                case .call(let call):
                    compared += 1
                    let answers = (redis: await call(redis), memory: await call(memory))
                    if answers.redis != answers.memory {
                        return (Difference(steps: Array(steps[...place]), answers: answers), compared)
                    }
                }
            }
            return (nil, compared)
        }
    }

    /// Leaves out every step without which the difference stays, many at a time first.
    static func shrink(_ difference: Difference, partitions: Int = 1) async throws -> Difference {
        var smallest = difference
        var width = max(1, difference.steps.count / 2)
        while true {
            var place = 0
            while place < smallest.steps.count - 1 {
                var fewer = smallest.steps
                fewer.removeSubrange(place..<min(place + width, fewer.count - 1))
                if let still = try await run(fewer, partitions: partitions).difference {
                    smallest = still
                } else {
                    place += width
                }
            }
            if width == 1 { return smallest }
            width /= 2
        }
    }
}
