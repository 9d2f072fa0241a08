import Testing

@testable import RedisWire

@Suite("A slot map")
struct SlotMapTests {
    private static let asked = RedisConfiguration.Endpoint.tcp(host: "seed", port: 7000)

    private static func text(_ text: String) -> RedisReply { .bytes(Array(text.utf8)) }

    private static func node(_ host: RedisReply, _ port: Int, _ more: RedisReply...) -> RedisReply {
        .array([host, .integer(port), text("0123abcd")] + more)
    }

    private static func slot(_ number: Int) throws -> HashSlot { try #require(HashSlot(number: "\(number)")) }

    @Test("is read from CLUSTER SLOTS, holes and replicas included")
    func reading() throws {
        let reply = RedisReply.array([
            .array([
                .integer(0), .integer(99), Self.node(Self.text("10.0.0.1"), 1), Self.node(Self.text("10.0.0.9"), 9),
            ]),
            .array([.integer(200), .integer(16_383), Self.node(Self.text("node-2.example"), 2)]),
            .array([.integer(150), .integer(150), Self.node(Self.text("10.0.0.1"), 1)]),
        ])
        let map = try SlotMap(reply, asked: Self.asked)
        #expect(map.owners == [.tcp(host: "10.0.0.1", port: 1), .tcp(host: "node-2.example", port: 2)])
        #expect(map.replicas == [.tcp(host: "10.0.0.9", port: 9)])
        #expect(map[try Self.slot(0)] == .tcp(host: "10.0.0.1", port: 1))
        #expect(map[try Self.slot(99)] == .tcp(host: "10.0.0.1", port: 1))
        #expect(map[try Self.slot(100)] == nil)
        #expect(map[try Self.slot(150)] == .tcp(host: "10.0.0.1", port: 1))
        #expect(map[try Self.slot(16_383)] == .tcp(host: "node-2.example", port: 2))
    }

    @Test("takes the host that was asked for one that is not told", arguments: [RedisReply.null, .bytes([])])
    func emptyHost(_ host: RedisReply) throws {
        let reply = RedisReply.array([.array([.integer(0), .integer(16_383), Self.node(host, 7001)])])
        #expect(try SlotMap(reply, asked: Self.asked).owners == [.tcp(host: "seed", port: 7001)])
    }

    @Test("takes the address of a node whose host name is unknown, and leaves out one without any")
    func unknownName() throws {
        let names = RedisReply.array([Self.text("ip"), Self.text("10.0.0.3")])
        let reply = RedisReply.array([
            .array([.integer(0), .integer(1), Self.node(Self.text("?"), 3, names)]),
            .array([.integer(2), .integer(3), Self.node(Self.text("?"), 3)]),
        ])
        let map = try SlotMap(reply, asked: Self.asked)
        #expect(map.owners == [.tcp(host: "10.0.0.3", port: 3)])
        #expect(map[try Self.slot(2)] == nil)
    }

    @Test(
        "refuses what is none",
        arguments: [
            RedisReply.integer(1), .array([.integer(1)]), .array([.array([.integer(0), .integer(1)])]),
            .array([.array([.integer(5), .integer(16_384), .array([.bytes([65]), .integer(1)])])]),
            .array([.array([.integer(5), .integer(4), .array([.bytes([65]), .integer(1)])])]),
            .array([.array([.integer(0), .integer(1), .array([.bytes([65])])])]),
        ]
    )
    func garbage(_ reply: RedisReply) {
        let error = #expect(throws: RedisError.self) { try SlotMap(reply, asked: Self.asked) }
        #expect(error?.code == .protocolViolation)
    }

    @Test("knows nothing at first, and learns single slots")
    func learning() throws {
        var map = SlotMap()
        #expect(map.isEmpty)
        #expect(map[try Self.slot(7)] == nil)
        map.setOwner(Self.asked, of: try Self.slot(7))
        #expect(map[try Self.slot(7)] == Self.asked)
        #expect(map[try Self.slot(8)] == nil)
    }

    @Test("is corrected by redirections")
    func redirections() throws {
        func read(_ message: String) -> Redirection? {
            Redirection(RedisServerError(message: message), asked: Self.asked)
        }
        let moved = try #require(read("MOVED 3999 127.0.0.1:6381"))
        #expect(moved.kind == .moved)
        #expect(moved.slot.number == 3999)
        #expect(moved.endpoint == .tcp(host: "127.0.0.1", port: 6381))
        #expect(read("ASK 0 node-2.example:6381")?.kind == .ask)
        #expect(read("MOVED 1 ::1:6381")?.endpoint == .tcp(host: "::1", port: 6381))
        #expect(read("MOVED 1 :6381")?.endpoint == .tcp(host: "seed", port: 6381))
        for other in ["ERR MOVED 1 a:1", "MOVED 1", "MOVED 16384 a:1", "MOVED 1 a:0", "MOVED 1 a", "MOVED 1 ?:1", ""] {
            #expect(read(other) == nil, "\(other)")
        }
    }
}
