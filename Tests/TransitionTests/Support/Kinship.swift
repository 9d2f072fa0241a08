import Testing

@testable import Belay

/// What must hold of tags, parents and contents: the keys `m:`, `f:`, `g:`, `u:` and `ends`, and the records' field `L`.
enum Kinship {
    private static let ended: Set<String> = ["s", "x", "c", "n"]

    /// The tags of a record, in their order; they have no gaps.
    static func tags(_ record: [String: String]) -> [String] {
        ["m", "m1", "m2", "m3", "m4", "m5", "m6", "m7"].compactMap { record[$0] }
    }

    /// What is wrong with a key beside the tasks.
    static func faults(_ dump: Dump, _ key: String, records: [String: [String: String]]) -> [String] {
        let rest = String(key.dropFirst(2))
        switch key.prefix(2) {
        case "m:": return tagFaults(dump, key, records)
        case "f:": return childFaults(dump, key, parent: rest, records)
        case "g:":
            let parents = dump.list(key)
            if (1...100).contains(parents.count), Set(parents).count == parents.count, records[rest]?["pc"] != nil,
                parents.allSatisfy({ $0.count > 2 && ($0.hasPrefix("t:") || $0.hasPrefix("g:")) })
            {
                return []
            }
            return ["\(key) names \(parents), and its task is \(records[rest] ?? [:])"]
        case "u:":
            // A slot `<hash>*` names the one of that content that started last.
            return (dump.hash(key) ?? [:]).compactMap { slot, id in
                let hash = slot.hasSuffix("*") ? String(slot.dropLast()) : slot
                return records[id]?["uh"] == hash && records[id]?["k"] == rest
                    ? nil : "\(key) says that \(id) has content \(slot), which is \(records[id] ?? [:])"
            }
        default:
            return dump.index("ends").keys.compactMap { entry in
                let words = entry.split(separator: " ", maxSplits: 1).map(String.init)
                let isWhole =
                    words.count == 2 && "sxcn-E".contains(words[0]) && ["t:", "g:"].contains(words[1].prefix(2))
                return isWhole ? nil : "ends has “\(entry)”"
            }
        }
    }

    /// Whether a tag's index of a state holds tasks of that tag in that state only.
    private static func tagFaults(_ dump: Dump, _ key: String, _ records: [String: [String: String]]) -> [String] {
        let parts = key.split(separator: ":", maxSplits: 2).map(String.init)
        guard parts.count == 3, Invariants.states.contains(parts[1]) else { return ["\(key) is no index of a tag"] }
        return dump.index(key).keys.compactMap { id in
            let record = records[id] ?? [:]
            return record["s"] == parts[1] && tags(record).contains(parts[2])
                ? nil : "\(key) holds \(id), which is \(record)"
        }
    }

    /// Whether those who wait for a parent are blocked tasks that have it, and it goes on, or its end is still to be told.
    private static func childFaults(
        _ dump: Dump,
        _ key: String,
        parent: String,
        _ records: [String: [String: String]]
    ) -> [String] {
        if parent.contains("\n") {
            let isToBeTold = dump.index("ends").keys.contains { $0.dropFirst(2) == parent }
            return isToBeTold ? [] : ["\(key) was set aside, and ends does not name it"]
        }
        var faults: [String] = []
        for (id, score) in dump.index(key) {
            let record = records[id] ?? [:]
            if record["s"] != "j" || !dump.list("g:\(id)").contains(parent) {
                faults.append("\(key) holds \(id), which is \(record) and waits for \(dump.list("g:\(id)"))")
            }
            if score != (record["pc"]?.first == "e" ? 0 : 1) { faults.append("\(id) has score \(score) in \(key)") }
        }
        let name = parent.dropFirst(2)
        let goesOn: Bool
        if parent.hasPrefix("t:") {
            let record = records[String(name)] ?? [:]
            goesOn = record["s"].map { !ended.contains($0) } ?? false
            if record["L"]?.contains("c") != true { faults.append("\(parent) does not know that others wait for it") }
        } else {
            goesOn = ["q", "r", "h", "p", "j"].contains { !dump.index("m:\($0):\(name)").isEmpty }
        }
        if !goesOn { faults.append("\(key) waits for what is over") }
        return faults
    }

    /// How many of its parents a task is listed with: those that go on, and those whose end it has not been told yet.
    private static func listings(_ dump: Dump, _ id: String, _ record: [String: String], parents: [String]) -> Int {
        let since = (record["u"] ?? record["c"]).flatMap { Int($0) } ?? 0
        return parents.count { parent in
            if dump.index("f:\(parent)")[id] != nil { return true }
            return dump.keys.keys.contains { key in
                let prefix = "f:\(parent)\n"
                guard key.hasPrefix(prefix), let moment = Int(key.dropFirst(prefix.count)) else { return false }
                return since <= moment && dump.index(key)[id] != nil
            }
        }
    }

    /// What is wrong with a task's own part of it.
    static func faults(_ dump: Dump, _ id: String, _ record: [String: String], score: Int?) -> [String] {
        var faults: [String] = []
        let (state, links) = (record["s"] ?? "?", record["L"] ?? "")
        if Set(links).count != links.count || !links.allSatisfy("mcpeuyvr".contains) {
            faults.append("\(id) has links \(links)")
        }
        let fields: [(letter: Character, fields: [String])] = [
            ("m", ["m"]), ("p", ["pc", "pn", "pw"]), ("e", ["ex"]), ("u", ["uh", "us", "ud"]), ("y", ["ct", "tr"]),
            ("v", ["v", "V"]),
        ]
        for (letter, fields) in fields where !links.contains(letter) {
            for field in fields where record[field] != nil {
                faults.append("\(id) has \(field), and its links are \(links)")
            }
        }
        for (letter, field) in [("m", "m"), ("p", "pc"), ("u", "uh")] where links.contains(letter) {
            if record[field] == nil { faults.append("\(id) has links \(links) and no \(field)") }
        }
        if state == "r" || state == "h", record["r"] ?? record["R"] != nil, !links.contains("r") {
            faults.append("\(id) has a response, and its links are \(links)")
        }
        if record["cc"] != nil, state != "c", state != "n" {
            faults.append("\(id) is \(state), with a cause: \(record)")
        }
        for tag in tags(record) {
            guard let place = dump.index("m:\(state):\(tag)")[id] else {
                faults.append("\(id) is \(state), and m:\(state):\(tag) does not hold it")
                continue
            }
            let scores = state == "r" || state == "h" ? [record["b"], record["u"]] : [score.map { "\($0)" }]
            if !scores.contains("\(place)") { faults.append("\(id) is at \(place) in m:\(state):\(tag): \(record)") }
        }
        if state == "j" { faults += needFaults(dump, id, record) }
        return faults
    }

    /// Whether what a blocked task needs still fits the parents that it is listed with.
    private static func needFaults(_ dump: Dump, _ id: String, _ record: [String: String]) -> [String] {
        let parents = dump.list("g:\(id)")
        let rule = record["pc"] ?? ""
        let listed = listings(dump, id, record, parents: parents)
        guard let condition = rule.first, "esfp".contains(condition), let wanted = Int(rule.dropFirst()),
            let needed = record["pn"].flatMap({ Int($0) }), let open = record["pw"].flatMap({ Int($0) })
        else { return ["\(id) is blocked: \(record)"] }
        var faults: [String] = []
        if open != listed {
            faults.append("\(id) waits for \(open) parents and is listed with \(listed) of \(parents)")
        }
        if needed < 1 || needed > min(open, wanted) { faults.append("\(id) needs \(needed) of \(open), by \(rule)") }
        let over = parents.count - open
        let least = wanted - over
        let isExact = condition == "e" || condition == "p"
        if isExact ? needed != least : needed < least {
            faults.append("\(id) needs \(needed), \(over) ended, by \(rule)")
        }
        return faults
    }
}
