import Testing

@testable import Belay

@Suite("A server")
struct ServerCheckTests {
    static func info(_ version: String, _ policy: String) -> String {
        "# Server\r\nredis_version:\(version)\r\nredis_mode:standalone\r\n\r\n# Memory\r\nmaxmemory_policy:\(policy)\r\n"
    }

    @Test(
        "is taken when it is new enough and does not evict keys that have no TTL",
        arguments: ["6.2.0", "6.2.14", "6.10.0", "7.0.15", "7.4.1", "8.0.0", "10.0"],
        ["noeviction", "volatile-lru", "volatile-ttl", "volatile-random", "volatile-lfu"]
    )
    func good(version: String, policy: String) throws { try ServerCheck.check(info: Self.info(version, policy)) }

    @Test("is refused when it is too old", arguments: ["2.8.24", "5.0.7", "6.0.16", "6.1.240"])
    func old(version: String) {
        #expect {
            try ServerCheck.check(info: Self.info(version, "noeviction"))
        } throws: {
            let error = $0 as? TrackerError
            return error?.code == .unsuitableServer && error?.message.contains("Redis \(version) is too old") == true
                && error?.message.contains("6.2") == true
        }
    }

    @Test("is refused when it may delete tasks", arguments: ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
    func evicts(policy: String) {
        #expect {
            try ServerCheck.check(info: Self.info("7.0.15", policy))
        } throws: {
            let error = $0 as? TrackerError
            return error?.code == .unsuitableServer && error?.message.contains(policy) == true
                && error?.message.contains("CONFIG SET maxmemory-policy noeviction") == true
        }
    }

    @Test("that does not tell is taken", arguments: ["", "nonsense", "redis_version", "redis_version:x\r\n", ":\r\n"])
    func silent(info: String) throws { try ServerCheck.check(info: info) }
}
