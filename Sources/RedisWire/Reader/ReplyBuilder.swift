/// Builds one `RedisReply` from a flat sequence of values, as a parser meets them.
///
/// An array opens a frame; each following value goes into the innermost frame; a full frame becomes a value of the frame
/// around it. Nothing is allocated for a declared number of elements beyond a small reservation, and a reply that
/// exceeds a limit is refused at the declaration.
struct ReplyBuilder {
    /// Bounds of one reply.
    struct Limits: Sendable {
        var bytes: Int
        var elements: Int
        var depth: Int
    }

    private struct Frame {
        let count: Int
        var elements: [RedisReply]
    }

    /// What an element is taken to cost beside its content.
    static let elementCost = 24
    private static let largestReservation = 1024

    private let limits: Limits
    private var frames: [Frame] = []
    private var bytes = 0
    private var elements = 0
    private var root: RedisReply?
    /// Why the current reply is refused.
    private(set) var refusal: String?

    init(limits: Limits) {
        self.limits = limits
    }

    /// The finished reply, once.
    mutating func take() -> RedisReply? {
        guard let reply = root else { return nil }
        root = nil
        bytes = 0
        elements = 0
        return reply
    }

    /// Adds a value that is not an array. Answers false when the reply is refused.
    mutating func add(_ value: RedisReply, byteCount: Int = 0) -> Bool {
        guard charge(byteCount) else { return false }
        place(value)
        return true
    }

    /// Opens an array of `count` elements. Answers false when the reply is refused.
    mutating func openArray(count: Int) -> Bool {
        guard count >= 0, frames.count < limits.depth else {
            return refuse("nested deeper than \(limits.depth) arrays")
        }
        guard count <= limits.elements - elements else {
            return refuse("more than \(limits.elements) elements")
        }
        guard charge(0) else { return false }
        if count == 0 {
            place(.array([]))
        } else {
            var storage: [RedisReply] = []
            storage.reserveCapacity(min(count, Self.largestReservation))
            frames.append(Frame(count: count, elements: storage))
        }
        return true
    }

    /// Whether a string of this declared length still fits; otherwise the reply is refused.
    mutating func accepts(declaredLength: Int) -> Bool {
        guard declaredLength <= limits.bytes - bytes else {
            return refuse("larger than \(limits.bytes) bytes")
        }
        return true
    }

    private mutating func charge(_ byteCount: Int) -> Bool {
        elements += 1
        bytes += byteCount + Self.elementCost
        guard bytes <= limits.bytes + Self.elementCost else { return refuse("larger than \(limits.bytes) bytes") }
        // A whole reply is not one of its own elements.
        guard elements <= limits.elements + 1 else { return refuse("more than \(limits.elements) elements") }
        return true
    }

    private mutating func refuse(_ reason: String) -> Bool {
        refusal = reason
        frames.removeAll()
        root = nil
        return false
    }

    private mutating func place(_ value: RedisReply) {
        var value = value
        while let last = frames.indices.last {
            frames[last].elements.append(value)
            guard frames[last].elements.count == frames[last].count else { return }
            value = .array(frames[last].elements)
            frames.removeLast()
        }
        root = value
    }
}
