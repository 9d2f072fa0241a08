import RedisWire
import Testing

@testable import Belay

/// Every key of a namespace with its value, as the server holds it.
struct Dump: Equatable, Sendable {
    enum Value: Equatable, Sendable {
        case string([UInt8])
        case hash([String: String])
        case list([String])
        /// Members and scores; a score is a whole number of µs.
        case sorted([String: Int])
        /// Fields of each entry; the ids are the server's own.
        case stream([[String: String]])
    }

    /// By name, without the namespace.
    var keys: [String: Value] = [:]
    var encodings: [String: String] = [:]
    /// The longest value of each hash, bytes.
    var longest: [String: Int] = [:]
    /// Keys that the server would drop by itself.
    var mortal: [String] = []

    var isEmpty: Bool { keys.isEmpty }
    /// The fields of a task's record; nil when there is none.
    func record(_ id: TaskID) -> [String: String]? { hash("t:\(id)") }
    /// The header's fields.
    var header: [String: String] { hash("meta") ?? [:] }
    /// A sorted set's members and scores; empty when there is none.
    func index(_ name: String) -> [String: Int] {
        if case .sorted(let members) = keys[name] { members } else { [:] }
    }
    func list(_ name: String) -> [String] { if case .list(let items) = keys[name] { items } else { [] } }
    func hash(_ name: String) -> [String: String]? { if case .hash(let fields) = keys[name] { fields } else { nil } }
    func string(_ name: String) -> [UInt8]? { if case .string(let bytes) = keys[name] { bytes } else { nil } }

    /// An entry of the events stream as one line: `event kind ids | details | worker`.
    var events: [String] {
        guard case .stream(let entries) = keys["events"] else { return [] }
        return entries.map { entry in
            let ids = (entry["i"] ?? "").replacing("\n", with: ",")
            let details = entry["d"].map { " | " + $0.replacing("\n", with: ",") } ?? ""
            let worker = entry["w"].map { " by " + $0 } ?? ""
            return "\(entry["e"] ?? "?") \(entry["k"] ?? "?") \(ids)\(details)\(worker)"
        }
    }

    mutating func setStoredTime(as other: Dump) {
        guard var fields = hash("meta") else { return }
        fields["now"] = other.header["now"]
        keys["meta"] = .hash(fields)
    }

    /// One line for each key that differs.
    func changes(since before: Dump) -> [String] {
        Set(keys.keys).union(before.keys.keys).sorted().compactMap { key in
            guard keys[key] != before.keys[key] else { return nil }
            let (old, new) = (before.keys[key].map { "\($0)" } ?? "nothing", keys[key].map { "\($0)" } ?? "nothing")
            return "\(key): \(old.prefix(600)) -> \(new.prefix(600))"
        }
    }
}

extension TrackerFixture {
    private static let reader = """
        local result = {}
        for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
          local kind = redis.call('TYPE', key).ok
          local value
          local longest = 0
          if kind == 'string' then value = redis.call('GET', key)
          elseif kind == 'hash' then
            value = redis.call('HGETALL', key)
            for i = 2, #value, 2 do longest = math.max(longest, #value[i]) end
          elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1)
          elseif kind == 'zset' then
            value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
            for i = 2, #value, 2 do value[i] = string.format('%.0f', tonumber(value[i])) end
          elseif kind == 'stream' then value = redis.call('XRANGE', key, '-', '+') end
          result[#result + 1] = {
            string.sub(key, #ARGV[1] + 1), kind, redis.call('TTL', key), redis.call('OBJECT', 'ENCODING', key), value,
            longest}
        end
        return result
        """

    /// Reads all keys of the namespace in one call.
    func dump() async throws -> Dump {
        var dump = Dump()
        let answer = try await redis.send(RedisCommand("EVAL", Self.reader, "0", keyspace.prefix))
        for item in try #require(answer.elements) {
            let parts = try #require(item.elements)
            let name = try #require(parts[0].string)
            let value = parts[4]
            switch parts[1].string {
            case "string": dump.keys[name] = .string(value.rawBytes ?? [])
            case "hash": dump.keys[name] = .hash(Self.pairs(value))
            case "list": dump.keys[name] = .list((value.elements ?? []).map(Self.text))
            case "zset": dump.keys[name] = .sorted(Self.pairs(value).mapValues { Int($0) ?? .min })
            case "stream":
                dump.keys[name] = .stream((value.elements ?? []).map { Self.pairs($0.elements?.last ?? .null) })
            default: Issue.record("\(name) has type \(parts[1])")
            }
            if parts[2].int != -1 { dump.mortal.append(name) }
            dump.encodings[name] = parts[3].string
            dump.longest[name] = parts[5].int
        }
        return dump
    }

    /// The events of `body`, as lines.
    func events(_ body: () async throws -> Void) async throws -> [String] {
        let before = try await dump().events.count
        try await body()
        return Array(try await dump().events.dropFirst(before))
    }

    func deleteAll() async throws {
        let script = "for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('UNLINK', key) end"
        _ = try await redis.send(RedisCommand("EVAL", script, "0", keyspace.prefix))
    }

    /// Sends any command on a key of this namespace.
    @discardableResult
    func command(_ name: String, _ key: String, _ arguments: String...) async throws -> RedisReply {
        var encoded = RedisArguments()
        encoded.append(keyspace.prefix + key)
        for argument in arguments { encoded.append(argument) }
        return try await redis.send(RedisCommand(name, encoded))
    }

    private static func pairs(_ reply: RedisReply) -> [String: String] {
        let flat = reply.elements ?? []
        var pairs: [String: String] = [:]
        for place in stride(from: 0, to: flat.count - 1, by: 2) { pairs[text(flat[place])] = text(flat[place + 1]) }
        return pairs
    }

    /// Bytes that are no UTF-8 are told as Latin-1, so that different bytes stay different and lengths can be seen.
    private static func text(_ reply: RedisReply) -> String {
        guard let bytes = reply.rawBytes else { return "\(reply)" }
        return String(validating: bytes, as: UTF8.self)
            ?? String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }
}
