import NIOCore
import Testing

@testable import RedisWire

@Suite("Requests are encoded")
struct RedisArgumentsTests {
    private func text(_ arguments: RedisArguments) -> String { String(buffer: arguments.encoded) }

    @Test("as bulk strings, whatever the type of the argument")
    func bulkStrings() {
        var arguments = RedisArguments()
        arguments.append("héllo")
        arguments.append(StaticString("static"))
        arguments.append(bytes: [0, 13, 10, 255] as [UInt8])
        arguments.append(bytes: "abc".utf8.reversed())
        #expect(arguments.count == 4)
        let expected =
            Array("$6\r\nhéllo\r\n$6\r\nstatic\r\n$4\r\n".utf8) + [0, 13, 10, 255] + Array("\r\n$3\r\ncba\r\n".utf8)
        #expect(Array(arguments.encoded.readableBytesView) == expected)
        #expect(arguments.byteCount == expected.count)
    }

    @Test(
        "with integers in decimal",
        arguments: [0, 1, -1, 9, 10, 99, 100, 1_700_000_000_123_456, .max, .min, -10]
    )
    func integers(value: Int) {
        var arguments = RedisArguments()
        arguments.append(value)
        #expect(text(arguments) == "$\(String(value).utf8.count)\r\n\(value)\r\n")
    }

    @Test("with lengths around each power of ten", arguments: [0, 1, 9, 10, 11, 99, 100, 101, 99_999, 100_000])
    func lengths(length: Int) {
        var arguments = RedisArguments(reservingCapacity: 0)
        let content = String(repeating: "x", count: length)
        arguments.append(content)
        #expect(text(arguments) == "$\(length)\r\n\(content)\r\n")
    }

    @Test("in the order of appending, across lists")
    func concatenation() {
        var first = RedisArguments()
        first.append("a")
        var second = RedisArguments()
        second.append("b")
        second.append(7)
        first.append(contentsOf: second)
        first.append(contentsOf: RedisArguments())
        #expect(first.count == 3)
        #expect(text(first) == "$1\r\na\r\n$1\r\nb\r\n$1\r\n7\r\n")
        #expect(text(second) == "$1\r\nb\r\n$1\r\n7\r\n")
    }

    @Test("as one array, with the name first")
    func commands() {
        var buffer = ByteBuffer()
        RedisCommand("GET", "key").encode(into: &buffer)
        RedisCommand("PING").encode(into: &buffer)
        #expect(String(buffer: buffer) == "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n*1\r\n$4\r\nPING\r\n")
    }

    @Test("as a script by its digest or its source")
    func scripts() {
        let script = RedisScript(name: "one", source: "return 1")
        #expect(script.sha1 == "e0e1f9fabfc9d4800c877a703b823ac0578ff8db")
        let arguments = RedisArguments("k", "v")
        var buffer = ByteBuffer()
        RedisCommand(head: .script(script, keyCount: 1, bySource: false), arguments: arguments).encode(into: &buffer)
        let digest = "$40\r\n\(script.sha1)\r\n"
        #expect(String(buffer: buffer) == "*5\r\n$7\r\nEVALSHA\r\n\(digest)$1\r\n1\r\n\(text(arguments))")
        buffer.clear()
        RedisCommand(head: .script(script, keyCount: 1, bySource: true), arguments: arguments).encode(into: &buffer)
        #expect(String(buffer: buffer) == "*5\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n1\r\n\(text(arguments))")
    }

    @Test("within the size that is counted against the bound")
    func byteCounts() {
        let script = RedisScript(name: "s", source: "return ARGV[1]")
        let arguments = RedisArguments("key", "value")
        let commands = [
            RedisCommand("GET", arguments),
            RedisCommand(head: .script(script, keyCount: 1, bySource: false), arguments: arguments),
            RedisCommand(head: .script(script, keyCount: 1, bySource: true), arguments: arguments),
        ]
        for command in commands {
            var buffer = ByteBuffer()
            command.encode(into: &buffer)
            #expect(command.byteCount >= buffer.readableBytes)
        }
    }
}
