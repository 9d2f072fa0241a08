import Testing

@testable import RedisWire

@Suite("A hash slot")
struct HashSlotTests {
    @Test(
        "comes from the XMODEM checksum",
        arguments: [("123456789", 0x31C3), ("", 0), ("A", 0x58E5), ("foo", 44_950)] as [(String, UInt16)]
    )
    func checksums(_ text: String, _ sum: UInt16) {
        #expect(CRC16.checksum(of: text.utf8) == sum)
    }

    @Test(
        "of a key",
        arguments: [("123456789", 12_739), ("foo", 12_182), ("somekey", 11_058), ("", 0)]
    )
    func known(_ key: String, _ slot: Int) {
        #expect(HashSlot(key: key).number == slot)
    }

    @Test(
        "is that of the text between the first braces",
        arguments: [
            ("{user1000}.following", "user1000"), ("a{b}{c}", "b"), ("foo{{bar}}zap", "{bar"),
            ("{belay:0}:meta", "belay:0"),
        ]
    )
    func tags(_ key: String, _ tag: String) {
        #expect(HashSlot(key: key) == HashSlot(key: tag))
    }

    @Test(
        "is that of the whole key when the braces are empty or open",
        arguments: ["foo{}{bar}", "foo{bar", "}{", "{}"]
    )
    func noTags(_ key: String) {
        #expect(HashSlot(key: key).number == Int(CRC16.checksum(of: key.utf8)) % 16_384)
    }

    @Test("is not made of numbers out of range", arguments: ["-1", "16384", "x", ""])
    func range(_ number: String) {
        #expect(HashSlot(number: number) == nil)
    }
}
