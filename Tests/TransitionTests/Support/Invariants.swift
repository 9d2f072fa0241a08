import RedisWire
import Testing

@testable import Belay

/// What must hold of every namespace at every moment.
enum Invariants {
    static let states = ["q", "r", "h", "p", "j", "s", "x", "c", "n"]

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
            case .kin: faults += Kinship.faults(dump, key, records: records)
            case .gates: faults += gateFaults(dump)
            case .hooks:
                for (name, text) in dump.hash(key) ?? [:] where text.wholeMatch(of: /[0-9]+ \{.*\}/) == nil {
                    faults.append("hook \(name) says “\(text)”")
                }
            case .cursors:
                for (name, text) in dump.hash(key) ?? [:] where TrackerEvent.Position(text) == nil {
                    faults.append("\(name) has come to “\(text)”")
                }
            case .workers, .idle, .takers:
                if case .takers = family, !kinds.contains(String(key.dropFirst(2))) {
                    faults.append("\(key) is of an unknown kind")
                }
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
                faults += sideFaults(dump, key, letter: letter, id: id, record: record)
            }
        }
        for id in places.keys where records[id] == nil { faults.append("\(id) is in an index and has no record") }
        for (id, record) in records { faults += recordFaults(dump, id, record, at: places[id] ?? []) }
        for kind in kinds { faults += flagFaults(dump, kind) }
        if dump.hash("gates")?[""] != nil, dump.header["gate"] == nil {
            faults.append("the tracker is open and has a gate")
        }
        if dump.header["gate"] != nil, dump.hash("gates")?[""] == nil { faults.append("nobody paused the tracker") }
        faults += foreignFaults(dump)
        #expect(faults == [], sourceLocation: sourceLocation)
    }

    private enum Family {
        case header, events, workers, worker, idle, takers, gates, record, kin
        case hooks, cursors
        case index(kind: String)
        case side(letter: String, id: String)

        init?(_ key: String) {
            switch key {
            case "meta": self = .header
            case "events": self = .events
            case "workers": self = .workers
            case "gates": self = .gates
            case "ends": self = .kin
            case "hooks", "cursors", "segments": self = .record
            case let key where key.hasPrefix("y"): self = .record  // foreign tasks and workers, see foreignFaults
            default:
                guard key.dropFirst().first == ":", !key.dropFirst(2).isEmpty else { return nil }
                let (letter, rest) = (String(key.prefix(1)), String(key.dropFirst(2)))
                switch letter {
                case "t": self = .record
                case "w": self = .worker
                case "S": self = .record
                case "i": self = .idle
                case "k": self = .takers
                case "b", "o", "d", "a", "e", "l": self = .side(letter: letter, id: rest)
                case "q":
                    guard rest.first?.wholeNumberValue != nil, rest.dropFirst().first == ":" else { return nil }
                    self = .index(kind: String(rest.dropFirst(2)))
                case "r", "h", "p", "j", "s", "x", "c", "n": self = .index(kind: rest)
                case "m", "f", "g", "u": self = .kin
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

    /// Whether each gate tells of a kind that is paused, and who paused it when.
    private static func gateFaults(_ dump: Dump) -> [String] {
        (dump.hash("gates") ?? [:]).compactMap { kind, text in
            // By scalars: a message may begin with a mark that joins the space before it.
            let words = text.unicodeScalars.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
            if words.count != 3 || Int(String(words[0])) == nil || words[1].isEmpty {
                return "gate \(kind) says “\(text)”"
            }
            if kind.isEmpty || dump.header["q:\(kind)"]?.contains("!") == true { return nil }
            return "gate \(kind) is closed, and its kind is not paused"
        }
    }

    /// Whether a kind's flags are priorities and letters, each once, and a paused kind has a gate.
    private static func flagFaults(_ dump: Dump, _ kind: String) -> [String] {
        let flags = dump.header["q:\(kind)"] ?? ""
        var faults: [String] = []
        if Set(flags).count != flags.count || !flags.allSatisfy("0123456789h!".contains) {
            faults.append("\(kind) has flags \(flags)")
        }
        if flags.contains("!"), dump.hash("gates")?[kind] == nil { faults.append("nobody paused \(kind)") }
        return faults
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
        if state == "q" || state == "j", record["d"] ?? record["c"] != score.map({ "\($0)" }) {
            faults.append("\(id) is due at \(record["d"] ?? record["c"] ?? "?") and its score is \(score ?? 0)")
        }
        if state == "q", dump.header["q:\(kind)"]?.contains(priority) != true {
            faults.append("\(id) has priority \(priority), of which the header does not know")
        }
        if state == "r" || state == "h" {
            for field in ["t", "g", "b", "w", "n"] where record[field] == nil {
                faults.append("\(id) is held without \(field)")
            }
        } else if state != "q", state != "j", record["u"] ?? record["c"] != score.map({ "\($0)" }) {
            faults.append("\(id) changed at \(record["u"] ?? "?") and its score is \(score ?? 0)")
        }
        if state == "h", record["to"] != nil || dump.header["q:\(kind)"]?.contains("h") != true {
            faults.append("\(id) is paused with a time-out, or the header does not know")
        }
        if state == "r", let end = record["to"].flatMap({ Int($0) }), let score, score > end {
            faults.append("the lease of \(id) ends at \(score), its attempt's time at \(end)")
        }
        if state == "s", record["f"] ?? "0" != "0" { faults.append("\(id) succeeded and counts failures") }
        if let fence = record["g"], (Int(fence) ?? 0) <= 0 { faults.append("\(id) has fence \(fence)") }
        for field in ["n", "f", "x", "z", "rn"] where record[field].map({ Int($0).map { $0 >= 0 } != true }) == true {
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
        if record["V"] != nil, dump.string("d:\(id)") == nil { faults.append("the data of \(id) is gone") }
        faults += Kinship.faults(dump, id, record, score: score)
        if dump.keys["e:\(id)"] == nil, !digests(dump, id).isEmpty { faults.append("\(id) lost its backtraces") }
        return faults
    }

    private static func sideFaults(
        _ dump: Dump,
        _ key: String,
        letter: String,
        id: String,
        record: [String: String]
    ) -> [String] {
        let isUntold = letter != "l" && record["n"] == nil
        if ["a", "e", "l"].contains(letter), isUntold || !tellsOfLists(record) {
            return ["\(key) would stay behind when its task is deleted: \(record)"]
        }
        switch letter {
        case "a":
            let lines = dump.list(key)
            let isWhole = (1...20).contains(lines.count) && lines.allSatisfy { (7...8).contains(words($0).count) }
            return isWhole ? [] : ["\(key) remembers \(lines.count) attempts: \(lines.map(words))"]
        case "e":
            let traces = dump.hash(key) ?? [:]
            let wrong = traces.filter { RedisScript(name: "trace", source: $0.value).sha1 != $0.key }
            return Set(traces.keys) == digests(dump, id) && wrong.isEmpty
                ? [] : ["\(key) holds \(traces.keys), the attempts name \(digests(dump, id))"]
        case "l":
            let lines = dump.list(key)
            let isWhole =
                (1...100).contains(lines.count)
                && lines.allSatisfy { words($0).count == 4 && $0.contains("\n") && Int(words($0)[0]) != nil }
            return isWhole ? [] : ["\(key) has \(lines.count) lines: \(lines.map(words))"]
        default:
            let length = record[["b": "P", "o": "R"][letter] ?? "V"]
            let bytes = dump.string(key)?.count
            return length == bytes.map { "\($0)" }
                ? [] : ["\(key) has \(bytes ?? 0) bytes, its record says \(length ?? "none")"]
        }
    }

    /// Whether a record says that there may be lists beside it, as `lua/shared/beside.lua` reads it.
    private static func tellsOfLists(_ record: [String: String]) -> Bool {
        let (state, attempts) = (record["s"] ?? "", record["n"])
        return record["a"] != nil || ["x", "c", "n"].contains(state)
            || attempts.map { state == "q" || $0 != "1" } == true
    }

    /// The words of an entry's first line.
    private static func words(_ entry: String) -> [Substring] {
        entry.prefix { $0 != "\n" }.split(separator: " ")
    }

    /// The backtraces that a task's attempts name.
    private static func digests(_ dump: Dump, _ id: String) -> Set<String> {
        Set(dump.list("a:\(id)").compactMap { words($0).dropFirst(7).first.map(String.init) }).subtracting(["-"])
    }
}
