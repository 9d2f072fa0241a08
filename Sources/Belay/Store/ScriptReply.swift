import RedisWire

/// A script's answer: an array whose first element is an upper-case word, and its second the server's time where it acted.
package struct ScriptReply: Sendable {
    package let script: String
    package let word: String
    let elements: [RedisReply]

    init(_ reply: RedisReply, of script: String) throws(TrackerError) {
        guard let elements = reply.elements, let word = elements.first?.string else {
            throw .bug("script \(script) answered \(reply) instead of a word and values")
        }
        self.script = script
        self.word = word
        self.elements = elements
    }

    /// The server's time, when the answer tells it.
    var now: Timestamp? { elements.count > 1 ? optionalMoment(elements[1]) : nil }

    func moment() throws(TrackerError) -> Timestamp {
        guard let now else { throw malformed("no time") }
        return now
    }

    func element(_ index: Int) throws(TrackerError) -> RedisReply {
        guard elements.indices.contains(index) else { throw malformed("no element \(index)") }
        return elements[index]
    }

    func string(_ index: Int) throws(TrackerError) -> String { try text(element(index)) }
    func int(_ index: Int) throws(TrackerError) -> Int { try number(element(index)) }
    func list(_ index: Int) throws(TrackerError) -> [RedisReply] { try items(element(index)) }

    func text(_ reply: RedisReply) throws(TrackerError) -> String {
        guard let text = reply.string else { throw malformed("\(reply) is not text") }
        return text
    }

    func number(_ reply: RedisReply) throws(TrackerError) -> Int {
        guard let number = Self.exact(reply) else { throw malformed("\(reply) is not a number") }
        return number
    }

    /// So many numbers from 0, in one text with a space between two.
    func numbers(_ reply: RedisReply, count: Int) throws(TrackerError) -> [Int] {
        var numbers: [Int] = []
        numbers.reserveCapacity(count)
        var number: Int?
        var isSound = true
        for byte in try bytes(reply) {
            if byte == UInt8(ascii: " ") {
                isSound = isSound && number != nil
                numbers.append(number ?? 0)
                number = nil
            } else {
                let digit = Int(byte) - 48
                isSound = isSound && (0...9).contains(digit) && number ?? 0 <= 1 << 53
                number = (number ?? 0) &* 10 &+ digit
            }
        }
        guard isSound, let number, numbers.count == count - 1 else {
            throw malformed("\(reply) is not \(count) numbers")
        }
        return numbers + [number]
    }

    func items(_ reply: RedisReply) throws(TrackerError) -> [RedisReply] {
        guard let items = reply.elements else { throw malformed("\(reply) is not a list") }
        return items
    }

    func bytes(_ reply: RedisReply) throws(TrackerError) -> [UInt8] {
        guard let bytes = reply.rawBytes else { throw malformed("\(reply) is not bytes") }
        return bytes
    }

    /// A moment, or nil for "" and "-".
    func optionalMoment(_ reply: RedisReply) -> Timestamp? { Self.exact(reply).map(Timestamp.init(microseconds:)) }

    /// A whole number that Lua can hold: below 2^53, so that no sum or difference of two overflows.
    private static func exact(_ reply: RedisReply) -> Int? {
        reply.int.flatMap { $0.magnitude <= 1 << 53 ? $0 : nil }
    }

    func state(_ letter: String) throws(TrackerError) -> TaskState {
        guard let state = TaskState(letter: letter) else { throw malformed("unknown state “\(letter)”") }
        return state
    }

    /// Requires `OK`.
    func requireOK() throws(TrackerError) { guard word == "OK" else { throw unexpected() } }

    /// The error for a word that the verb does not know.
    func unexpected() -> TrackerError { malformed("unknown word “\(word)”") }

    func malformed(_ what: String) -> TrackerError { .bug("script \(script): \(what)") }
}
