import Foundation

/// Figures of all rounds, told as medians.
struct Report {
    private var order: [String] = []
    private var values: [String: [Double]] = [:]
    private var about: [String: Figure] = [:]

    mutating func add(_ figures: [Figure]) {
        for figure in figures {
            if values[figure.name] == nil {
                order.append(figure.name)
                about[figure.name] = figure
            }
            values[figure.name, default: []].append(figure.value)
        }
    }

    private func median(_ name: String) -> Double {
        let sorted = values[name, default: []].sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }

    private func text(_ value: Double) -> String {
        value >= 1000 ? String(format: "%.0f", value) : String(format: value >= 10 ? "%.1f" : "%.2f", value)
    }

    func table() -> String {
        var lines = ["| figure | goal | now (min - max) | unit | best peer | limit |", "|---|---|---|---|---|---|"]
        for name in order {
            guard let figure = about[name] else { continue }
            let all = values[name, default: []]
            let spread = all.count > 1 ? " (\(text(all.min() ?? 0)) - \(text(all.max() ?? 0)))" : ""
            let cells = [
                name, figure.goal, "**\(text(median(name)))**\(spread)", figure.unit, figure.peer, figure.limit,
            ]
            lines.append("| \(cells.joined(separator: " | ")) |")
        }
        return lines.joined(separator: "\n")
    }

    func json() throws -> String {
        let rows = order.map { name in
            [
                "name": name.trimmingCharacters(in: .whitespaces), "unit": about[name]?.unit ?? "",
                "goal": about[name]?.goal ?? "", "peer": about[name]?.peer ?? "", "limit": about[name]?.limit ?? "",
                "median": median(name), "values": values[name] ?? [],
            ] as [String: Any]
        }
        let data = try JSONSerialization.data(
            withJSONObject: ["figures": rows],
            options: [.prettyPrinted, .sortedKeys]
        )
        return String(decoding: data, as: UTF8.self)
    }
}
