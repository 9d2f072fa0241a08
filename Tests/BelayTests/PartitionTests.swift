import Testing

@testable import Belay

@Suite("A partition")
struct PartitionTests {
    @Test("follows from the CRC-32 that every language has")
    func check() {
        var crc = CRC32()
        for byte in "123456789".utf8 { crc.update(byte) }
        #expect(crc.value == 0xcbf4_3926)
        #expect(CRC32().value == 0)
    }

    @Test(
        "of a task follows from its key in braces, its flow, or its whole id",
        arguments: [
            ("{order-7}pack", "order-7"), ("a{order-7}", "order-7"), ("a{x}{y}", "x"), ("a{{x}", "{x"),
            ("a{}b", "a{}b"), ("a{b", "a{b"), ("a}b{c", "a}b{c"), ("}{x}", "x"), ("plain", "plain"), ("ä{é}", "é"),
            ("flow/abc/step", "flow/abc"), ("flow/abc/pages/3", "flow/abc"), ("{flow/abc}own", "flow/abc"),
            ("flow/abc", "flow/abc"), ("flows/a/b", "flows/a/b"),
        ]
    )
    func key(id: String, key: String) {
        for count in [1, 2, 3, 64, 256] {
            let expected = PartitionKey.partition(of: key, among: count)
            #expect(PartitionKey.partition(of: TaskID(trusted: id), among: count) == expected)
            #expect((0..<count).contains(expected))
        }
    }

    @Test("is the one wanted for a generated id, which is new and sorts by time", arguments: [2, 3, 16, 256])
    func generated(count: Int) {
        let generator = IDGenerator(random: 916_132_831)
        var ids: [TaskID] = []
        for number in 0..<500 {
            let partition = number * 7 % count
            let id = generator.next(now: Timestamp(microseconds: 0), partition: partition, among: count)
            #expect(PartitionKey.partition(of: id, among: count) == partition)
            #expect(id.description.utf8.count == 14)
            ids.append(id)
        }
        #expect(ids == ids.sorted())
        #expect(Set(ids).count == 500)
    }

    @Test("holds its share of a queue limit, and all shares are the limit", arguments: [1, 2, 3, 7, 100])
    func shares(count: Int) throws {
        for limit in [1, 2, 3, 10, 100, 101, 1_000_000_000] {
            let policy = KindPolicy(queueLimit: limit)
            let shares = (0..<count).map { place in
                [DefinedKind(name: "k", policy: policy.share(of: place, among: count))]
            }
            #expect(Kinds.merged(shares) == [DefinedKind(name: "k", policy: KindPolicy(queueLimit: max(limit, count)))])
        }
        #expect(KindPolicy.default.share(of: 0, among: 3) == .default)
    }

    @Test("has its place in a cursor, whatever bytes it holds")
    func cursors() throws {
        var cursor = try #require(PartitionCursor(nil, count: 3))
        #expect(cursor.description == "---")
        cursor.places = [.over, .at("q 12 ä-.3:x"), .start]
        #expect(cursor.description == ".12:q 12 ä-.3:x-")
        #expect(PartitionCursor(cursor.description, count: 3) == cursor)
        for bad in ["x", "--", "----", "3:q", "0:--", "1:", "99999999999999999999:a--", "q 1 a"] {
            #expect(PartitionCursor(bad, count: 3) == nil, "\(bad)")
        }
    }

    @Test("has its place in a position of the events")
    func positions() throws {
        let text = "1767225600000-0/2,@1767225600001-0/0,-"
        let position = try #require(TrackerEvent.Position(text))
        #expect(position.description == text)
        #expect((position.entry, position.place, position.partition) == ("1767225600001-0", 0, 1))
        #expect(position.own == "1:1767225600001-0/0")
        #expect(TrackerEvent.Position("5-0/1")?.own == "5-0/1")
        for bad in ["1-0/2,3-0/1", "@1-0/2", "-,-", "@-,1-0/2", "1-0/2,@x", "@1-0/2,@1-0/3", "@1-0/2,", ","] {
            #expect(TrackerEvent.Position(bad) == nil, "\(bad)")
        }
    }

    @Test("that woke a worker is asked first, one that failed last")
    func places() {
        let worker = WorkerName(trusted: "w")
        var places = ClaimPlaces(count: 4, start: 3)
        #expect(places.order(for: worker) == ([0, 1, 2, 3], false))
        places.asked(worker, in: 1, found: nil)
        places.asked(worker, in: 2, found: false)
        places.asked(worker, in: 3, found: false)
        #expect(places.stands(worker, in: 3))
        places.woken(worker, in: 3)
        #expect(!places.stands(worker, in: 3))
        #expect(places.order(for: worker) == ([3, 2, 0, 1], true))
        #expect(places.order(for: worker) == ([2, 3, 0, 1], false))
        #expect(places.leave(worker) == [2])
        #expect(places.leave(worker) == [])
        places.asked(worker, in: 1, found: true)
        #expect(places.order(for: worker) == ([3, 0, 1, 2], false))
    }
}
