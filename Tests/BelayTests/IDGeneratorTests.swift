import Testing

@testable import Belay

@Suite("A generated id")
struct IDGeneratorTests {
    @Test("is new each time and sorts by time, as text and as bytes")
    func sorted() {
        let generator = IDGenerator()
        let start = Timestamp(microseconds: 1_767_225_600_000_000)
        var ids: [TaskID] = []
        for step in 0..<100_000 { ids.append(generator.next(now: start + .microseconds(step / 3))) }
        #expect(Set(ids).count == 100_000)
        #expect(zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 })
        #expect(ids.allSatisfy { $0.description.utf8.count == 14 })
    }

    @Test("grows also when the clock stands, goes backwards or is unknown")
    func clocks() {
        let generator = IDGenerator()
        let moments = [1_767_225_600_000_000, 1_767_225_600_000_000, 5, 0, -1].map(Timestamp.init(microseconds:))
        let ids = moments.map(generator.next)
        #expect(ids == ids.sorted())
        #expect(Set(ids).count == ids.count)
        #expect(IDGenerator().next(now: Timestamp(microseconds: 0)).description.utf8.count == 14)
        #expect(IDGenerator().next(now: Timestamp(microseconds: 4_102_444_800_000_000)).description.utf8.count == 14)
    }

    @Test("of two processes differs in the same microsecond")
    func processes() {
        let now = Timestamp(microseconds: 1_767_225_600_000_000)
        #expect(IDGenerator(random: 1).next(now: now) != IDGenerator(random: 2).next(now: now))
        #expect(IDGenerator(random: .max).next(now: now).description.utf8.count == 14)
    }

    @Test("of a lock is a version-4 UUID of 32 digits, new each time")
    func tokens() {
        let tokens = (0..<1000).map { _ in Host.token() }
        #expect(Set(tokens).count == 1000)
        for token in tokens {
            let digits = Array(token)
            #expect(digits.count == 32)
            #expect(digits.allSatisfy { $0.isHexDigit && !$0.isUppercase })
            #expect(digits[12] == "4")
            #expect("89ab".contains(digits[16]))
        }
    }
}
