import Belay
import Crypto

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension RetryPolicy {
    /// How long a task waits after its nth failure or crash, as the scripts compute it.
    func delay(of id: TaskID, after nth: Int) -> Duration {
        var delay: Double
        switch backoff {
        case .exponential(let base, let factor, let cap):
            let grown = Double(base.microseconds) * pow(factor, Double(min(nth - 1, 64)))
            delay = min(Double(cap.microseconds), grown)
        case .fixed(let fixed):
            delay = Double(fixed.microseconds)
        case .list(let delays):
            delay = Double(delays[min(nth, delays.count) - 1].microseconds)
        }
        if jitter > 0 { delay *= 1 + jitter * (2 * Self.draw("\(id):\(nth)") - 1) }
        return .microseconds(Int(delay.rounded(.down)))
    }

    /// A number from 0 to below 1 that a text always gives: the first 32 bits of its SHA-1.
    private static func draw(_ text: String) -> Double {
        let bits = Insecure.SHA1.hash(data: Array(text.utf8)).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        return Double(bits) / 4_294_967_296
    }
}
