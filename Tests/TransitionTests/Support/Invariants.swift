import Testing

@testable import Belay

/// What must hold of every namespace at every moment.
enum Invariants {
    private static let states = ["q", "r", "s", "x", "c"]

    static func check(_ dump: Dump, sourceLocation: SourceLocation) {
        var faults = dump.mortal.map { "\($0) has a TTL" }
        let records = members(of: dump, "t:")
        let kinds = Set(dump.header.keys.filter { $0.hasPrefix("k:") }.map { String($0.dropFirst(2)) })
        var places: [String: [(index: String, score: Int)]] = [:]

        for (key, value) in dump.keys {
            guard let family = Family(key) else {
                faults.append("\(key) is no key of a tracker")
                continue
            }
            switch family {
            case .header, .events, .record, .worker: break
            case .workers, .idle:
                if case .sorted = value {} else { faults.append("\(key) is no sorted set") }
            case .index(let kind):
                if !kinds.contains(kind) { faults.append("\(key) is of an unknown kind") }
                guard case .sorted(let entries) = value else {
                    faults.append("\(key) is no sorted set")
                    continue
                }
                for (id, score) in entries { places[id, default: []].append((key, score)) }
            case .side(let letter, let id):
                guard let record = records[id] else {
                    faults.append("\(key) has no record")
                    continue
                }
                faults += sideFaults(dump, key, letter: letter, record: record)
            }
        }
        for id in places.keys where records[id] == nil { faults.append("\(id) is in an index and has no record") }
        for (id, record) in records { faults += recordFaults(dump, id, record, at: places[id] ?? []) }
        #expect(faults == [], sourceLocation: sourceLocation)
    }

    private enum Family {
        case header, events, workers, worker, idle, record
        case index(kind: String)
        case side(letter: String, id: String)

        init?(_ key: String) {
            switch key {
            case "meta": self = .header
            case "events": self = .events
            case "workers": self = .workers
            default:
                guard key.dropFirst().first == ":", !key.dropFirst(2).isEmpty else { return nil }
                let (letter, rest) = (String(key.prefix(1)), String(key.dropFirst(2)))
                switch letter {
                case "t": self = .record
                case "w": self = .worker
                case "i": self = .idle
                case "b", "o", "a": self = .side(letter: letter, id: rest)
                case "q":
                    guard rest.first?.wholeNumberValue != nil, rest.dropFirst().first == ":" else { return nil }
                    self = .index(kind: String(rest.dropFirst(2)))
                case "r", "s", "x", "c": self = .index(kind: rest)
                default: return nil
                }
            }
        }
    }

    private static func members(of dump: Dump, _ prefix: String) -> [String: [String: String]] {
        var members: [String: [String: String]] = [:]
        for key in dump.keys.keys where key.hasPrefix(prefix) {
            members[String(key.dropFirst(2))] = dump.hash(key) ?? [:]
        }
        return members
    }

    private static func recordFaults(
        _ dump: Dump,
        _ id: String,
        _ record: [String: String],
        at places: [(index: String, score: Int)]
    ) -> [String] {
        var faults: [String] = []
        let state = record["s"] ?? "?"
        let kind = record["k"] ?? "?"
        let priority = record["q"] ?? "5"
        let index = state == "q" ? "q:\(priority):\(kind)" : "\(state):\(kind)"
        if !states.contains(state) { faults.append("\(id) has state \(state)") }
        if places.map(\.index) != [index] { faults.append("\(id) is in \(places.map(\.index)), not just in \(index)") }
        let score = places.first?.score
        if state == "q", record["d"] ?? record["c"] != score.map({ "\($0)" }) {
            faults.append("\(id) is due at \(record["d"] ?? record["c"] ?? "?") and its score is \(score ?? 0)")
        }
        if state == "q", dump.header["q:\(kind)"]?.contains(priority) != true {
            faults.append("\(id) has priority \(priority), of which the header does not know")
        }
        if state == "r" {
            for field in ["t", "g", "b", "w", "n"] where record[field] == nil {
                faults.append("\(id) runs without \(field)")
            }
        } else if !["q", "r"].contains(state), record["u"] != score.map({ "\($0)" }) {
            faults.append("\(id) ended at \(record["u"] ?? "?") and its score is \(score ?? 0)")
        }
        if let fence = record["g"], (Int(fence) ?? 0) <= 0 { faults.append("\(id) has fence \(fence)") }
        for field in ["n", "f", "x", "z"] where record[field].map({ Int($0).map { $0 >= 0 } != true }) == true {
            faults.append("\(id) counts \(field) = \(record[field] ?? "")")
        }
        if let longest = dump.longest["t:\(id)"], longest > 64 {
            faults.append("\(id) keeps \(longest) bytes in one field")
        }
        if let encoding = dump.encodings["t:\(id)"], !["listpack", "ziplist"].contains(encoding) {
            faults.append("\(id) is not compact: \(encoding)")
        }
        if record["P"] != nil, dump.string("b:\(id)") == nil { faults.append("the payload of \(id) is gone") }
        if record["R"] != nil, dump.string("o:\(id)") == nil { faults.append("the result of \(id) is gone") }
        return faults
    }

    private static func sideFaults(_ dump: Dump, _ key: String, letter: String, record: [String: String]) -> [String] {
        switch letter {
        case "a":
            let count = dump.list(key).count
            return (1...20).contains(count) ? [] : ["\(key) remembers \(count) attempts"]
        default:
            let length = record[letter == "b" ? "P" : "R"]
            let bytes = dump.string(key)?.count
            return length == bytes.map { "\($0)" }
                ? [] : ["\(key) has \(bytes ?? 0) bytes, its record says \(length ?? "none")"]
        }
    }
}
