import Testing

@testable import RedisWire

@Suite("The reader")
struct HiredisReaderTests {
    private static let limits = ReplyBuilder.Limits(bytes: 1 << 20, elements: 10_000, depth: 8)

    private static let samples: [(String, RedisReply)] = [
        ("+OK\r\n", .bytes(Array("OK".utf8))), ("+\r\n", .bytes([])),
        ("-ERR no\r\n", .error(RedisServerError(message: "ERR no"))),
        (":0\r\n", .integer(0)), (":-1\r\n", .integer(-1)),
        (":9223372036854775807\r\n", .integer(.max)), (":-9223372036854775808\r\n", .integer(.min)),
        ("$-1\r\n", .null), ("*-1\r\n", .null), ("$0\r\n\r\n", .bytes([])),
        ("$5\r\na\r\nb\0\r\n", .bytes([97, 13, 10, 98, 0])), ("*0\r\n", .array([])),
        (
            "*5\r\n:1\r\n$-1\r\n*2\r\n+a\r\n*0\r\n-X y\r\n$1\r\nz\r\n",
            .array([
                .integer(1), .null, .array([.bytes([97]), .array([])]), .error(RedisServerError(message: "X y")),
                .bytes([122]),
            ])
        ),
        ("*1\r\n*1\r\n*1\r\n:3\r\n", .array([.array([.array([.integer(3)])])])),
    ]

    private static let stream = Array(samples.map(\.0).joined().utf8)
    private static let expected = samples.map(\.1)

    /// Feeds pieces to one reader and answers all replies.
    private func read(_ pieces: [ArraySlice<UInt8>], limits: ReplyBuilder.Limits = limits) throws -> [RedisReply] {
        let reader = HiredisReader(limits: limits)
        var replies: [RedisReply] = []
        for piece in pieces {
            try Array(piece).withUnsafeBytes { try reader.read($0, into: &replies) }
        }
        return replies
    }

    private func read(_ text: String, limits: ReplyBuilder.Limits = limits) throws -> [RedisReply] {
        try read([Array(text.utf8)[...]], limits: limits)
    }

    private func code(_ text: String, limits: ReplyBuilder.Limits = limits) -> RedisError.Code? {
        do {
            _ = try read(text, limits: limits)
            return nil
        } catch {
            return (error as? RedisError)?.code
        }
    }

    @Test("builds every type of reply")
    func types() throws {
        for (text, reply) in Self.samples {
            #expect(try read(text) == [reply])
        }
    }

    @Test("reads a stream byte by byte")
    func byteByByte() throws {
        #expect(try read(Self.stream.indices.map { Self.stream[$0...$0] }) == Self.expected)
    }

    @Test("reads a stream in random pieces", arguments: 1...200)
    func randomPieces(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var pieces: [ArraySlice<UInt8>] = []
        var rest = Self.stream[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...20, using: &random))
            pieces.append(piece)
            rest = rest.dropFirst(piece.count)
        }
        #expect(try read(pieces) == Self.expected)
    }

    @Test("reads thousands of replies from one piece")
    func manyReplies() throws {
        let text = (0..<20_000).map { "$5\r\n\(10_000 + $0 % 90_000)\r\n" }.joined()
        let replies = try read(text)
        #expect(replies.count == 20_000)
        #expect(replies.enumerated().allSatisfy { $1.int == 10_000 + $0 % 90_000 })
    }

    @Test(
        "refuses what is not RESP2",
        arguments: [
            "?\r\n", "\r\n", "HTTP/1.1 400 Bad Request\r\n", ":x\r\n", ":1x\r\n", ":\r\n", "$x\r\n", "$-2\r\n",
            "*-2\r\n",
            "*x\r\n", ":9223372036854775808\r\n", "*1\r\n?\r\n", "%1\r\n+a\r\n+b\r\n", ",1.5\r\n", "#t\r\n", "_\r\n",
            ">2\r\n+a\r\n+b\r\n", "~1\r\n+a\r\n", "*1\r\n#t\r\n", "(123\r\n",
        ]
    )
    func malformed(_ text: String) {
        let code = code(text)
        #expect(code == .protocolViolation || code == .tooLarge)
    }

    @Test(
        "refuses a declared length or count before its content comes",
        arguments: [
            "$1048577\r\n", "$9223372036854775807\r\n", "$99999999999999999999999\r\n", "*10001\r\n", "*2147483647\r\n",
            "*2147483648\r\n", "*9223372036854775807\r\n", "*99999999999999999999999\r\n", "*1\r\n*10000\r\n",
            "*2\r\n$1048000\r\n",
        ]
    )
    func hugeDeclarations(_ text: String) {
        let filler = text.hasPrefix("*2\r\n$1048000") ? String(repeating: "x", count: 1_048_000) + "\r\n$999\r\n" : ""
        let code = code(text + filler)
        #expect(code == .tooLarge || code == .protocolViolation)
    }

    @Test("accepts replies up to its limits, and none beyond")
    func limits() throws {
        let limits = ReplyBuilder.Limits(bytes: 1000, elements: 4, depth: 2)
        #expect(code("*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n", limits: limits) == nil)
        #expect(code("*5\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n", limits: limits) == .tooLarge)
        #expect(code("*2\r\n*2\r\n:1\r\n:1\r\n*1\r\n:1\r\n", limits: limits) == .tooLarge)
        #expect(code("*1\r\n*1\r\n:1\r\n", limits: limits) == nil)
        #expect(code("*1\r\n*1\r\n*1\r\n:1\r\n", limits: limits) == .tooLarge)
        #expect(code("$1000\r\n\(String(repeating: "x", count: 1000))\r\n", limits: limits) == nil)
        #expect(code("$1001\r\n", limits: limits) == .tooLarge)
        #expect(code("*2\r\n$900\r\n\(String(repeating: "x", count: 900))\r\n$90\r\n", limits: limits) == .tooLarge)
    }

    @Test("reads eight levels of arrays and refuses the ninth and the hundredth")
    func depth() throws {
        func nested(_ levels: Int) -> String { String(repeating: "*1\r\n", count: levels) + ":7\r\n" }
        #expect(code(nested(8)) == nil)
        #expect([.tooLarge, .protocolViolation].contains(code(nested(9))))
        #expect([.tooLarge, .protocolViolation].contains(code(nested(100))))
    }

    @Test("keeps no endless line")
    func endlessLine() {
        #expect(code("+" + String(repeating: "x", count: 70_000)) == .protocolViolation)
        #expect(code("$" + String(repeating: "1", count: 70_000)) == .protocolViolation)
    }

    @Test("hands out the replies before a bad one")
    func repliesBeforeTheBadOne() {
        let reader = HiredisReader(limits: Self.limits)
        var replies: [RedisReply] = []
        #expect(throws: RedisError.self) {
            try Array(":1\r\n:2\r\n?".utf8).withUnsafeBytes { try reader.read($0, into: &replies) }
        }
        #expect(replies == [.integer(1), .integer(2)])
    }

    @Test("survives random bytes", arguments: 1...300)
    func noise(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let alphabet = Array("*$+-:%,#_>~(=\r\n0123456789 abc".utf8)
        let pieces = (0..<50).map { _ in
            (0..<Int.random(in: 1...40, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }[...]
        }
        // Either replies or a typed error; a crash ends the whole run.
        #expect(throws: Never.self) {
            do { _ = try read(pieces) } catch is RedisError {}
        }
    }

    @Test("survives damaged streams", arguments: 1...300)
    func damage(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var bytes = Self.stream
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        let cut = Int.random(in: bytes.indices, using: &random)
        #expect(throws: Never.self) {
            do { _ = try read([bytes[..<cut], bytes[cut...]]) } catch is RedisError {}
        }
    }
}
