import Testing

@testable import Belay

extension Invariants {
    /// Each foreign task is once in the list of all, and in the indexes of its state, name, worker and parent, by its newest event;
    /// and nothing else is.
    static func foreignFaults(_ dump: Dump) -> [String] {
        var wanted: [String: [String: Int]] = [:]
        for key in dump.keys.keys where key.hasPrefix("y:") {
            let (id, record) = (String(key.dropFirst(2)), dump.hash(key) ?? [:])
            let last = Int(record["l"] ?? "") ?? -1
            wanted["yz", default: [:]][id] = last
            for (letter, field) in [("s", "s"), ("n", ".name"), ("h", "h")] {
                guard let value = record[field] else { continue }
                wanted["y\(letter):\(value)", default: [:]][id] = last
                if letter != "h" { wanted["y\(letter)", default: [:]][value] = 0 }
            }
            if let parent = record[".parent_id"] { wanted["yp:\(parent)", default: [:]][id] = 0 }
        }
        for key in dump.keys.keys where key.hasPrefix("yw:") {
            let record = dump.hash(key) ?? [:]
            let beats = (record["b"] ?? "").split(separator: " ").compactMap { Int($0) }
            if beats != Set(beats).sorted() || beats.count > 4 { wanted[key] = [:] }
            wanted["yw", default: [:]][String(key.dropFirst(3))] = beats.last ?? Int(record["off"] ?? "") ?? -1
        }
        var found: [String: [String: Int]] = [:]
        for key in dump.keys.keys where key.hasPrefix("y") {
            if case .sorted(let members)? = dump.keys[key] { found[key] = members }
        }
        return Set(wanted.keys).union(found.keys).sorted().filter { wanted[$0] != found[$0] }.map {
            "\($0) is \(found[$0] ?? [:]), should be \(wanted[$0] ?? [:])"
        }
    }
}
