/// A kind's policy as the scripts read it: thirteen words, and a fourteenth when it has a soft time-out; durations in
/// microseconds, factor and jitter in thousandths. A policy of ten words was stored before time-out, queue limit and end state
/// existed, and has none.
package enum PolicyText {
    package static func encode(_ policy: KindPolicy) -> String {
        var (letter, base, cap, factor, delays) = ("e", Duration.zero, Duration.zero, 1.0, "-")
        switch policy.retry.backoff {
        case .exponential(let b, let f, let c): (letter, base, factor, cap) = ("e", b, f, c)
        case .fixed(let delay): (letter, base, cap) = ("f", delay, delay)
        case .list(let list): (letter, delays) = ("l", list.map { "\($0.microseconds)" }.joined(separator: ","))
        }
        let jitter = Int((policy.retry.jitter * 1000).rounded())
        let keep = [policy.keepSucceeded, policy.keepOther].map { $0?.microseconds ?? 0 }
        var words = ["\(policy.lease.microseconds)", "\(policy.attempts)", letter]
        words += ["\(base.microseconds)", "\(cap.microseconds)", "\(Int((factor * 1000).rounded()))", "\(jitter)"]
        words += ["\(keep[0])", "\(keep[1])", delays]
        words += ["\(policy.timeout?.microseconds ?? 0)", "\(policy.queueLimit ?? 0)"]
        words.append(policy.whenExhausted == .ignored ? "n" : "x")
        if let soft = policy.softTimeout { words.append("\(soft.microseconds)") }
        return words.joined(separator: " ")
    }

    package static func decode(_ text: String) throws(TrackerError) -> KindPolicy {
        let words = text.split(separator: " ")
        // The third and the thirteenth word are letters, and the tenth is a list or "-".
        let numbers = words.enumerated().map { [2, 9, 12].contains($0.offset) ? 0 : Int($0.element) ?? -1 }
        let delays = words.count >= 10 ? words[9].split(separator: ",").map { Int($0) ?? -1 } : []
        guard words.count == 10 || (13...14).contains(words.count) && ["x", "n"].contains(words[12]),
            numbers.allSatisfy({ $0 >= 0 }), words[2] != "l" || delays.allSatisfy({ $0 >= 0 })
        else {
            throw .bug("stored policy “\(text)” is not of ten, thirteen or fourteen words as they should be")
        }
        let backoff: RetryPolicy.Backoff
        switch words[2] {
        case "e":
            backoff = .exponential(
                base: .microseconds(numbers[3]),
                factor: Double(numbers[5]) / 1000,
                cap: .microseconds(numbers[4])
            )
        case "f": backoff = .fixed(.microseconds(numbers[3]))
        case "l": backoff = .list(delays.map { .microseconds($0) })
        default: throw .bug("stored policy “\(text)” has an unknown backoff “\(words[2])”")
        }
        func keep(_ micros: Int) -> Duration? { micros == 0 ? nil : .microseconds(micros) }
        return KindPolicy(
            lease: .microseconds(numbers[0]),
            attempts: numbers[1],
            retry: RetryPolicy(backoff, jitter: Double(numbers[6]) / 1000),
            keepSucceeded: keep(numbers[7]),
            keepOther: keep(numbers[8]),
            timeout: numbers.count > 10 ? keep(numbers[10]) : nil,
            softTimeout: numbers.count > 13 ? keep(numbers[13]) : nil,
            queueLimit: numbers.count > 11 && numbers[11] > 0 ? numbers[11] : nil,
            whenExhausted: words.count > 12 && words[12] == "n" ? .ignored : .exhausted
        )
    }
}
