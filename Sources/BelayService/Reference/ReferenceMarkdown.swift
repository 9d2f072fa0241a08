/// The reference as Markdown, for the documentation.
public enum ReferenceMarkdown {
    /// An article.
    /// - Parameter title: Its heading.
    public static func article(title: String = "The machine interface") -> String {
        var lines = ["# \(title)", ""]
        for paragraph in ReferenceText.introduction { lines += [escaped(paragraph), ""] }
        lines += ["## Verbs", ""]
        for entry in VerbTable.entries {
            lines += ["### \(entry.name)", "", escaped(entry.summary) + (entry.isWrite ? "" : " Only asks."), ""]
            lines += ["Request:", ""] + table(entry.request) + ["", "Answer:", ""] + table(entry.response) + [""]
            let problems = ReferenceText.problems(entry)
            if !problems.isEmpty { lines += ["Problems of its own: \(problems).", ""] }
        }
        lines += ["## Objects", ""]
        for part in ReferenceText.parts { lines += ["### \(part.name)", ""] + table(.object(part)) + [""] }
        lines += ["## Problems", "", "| code | status | |", "|---|---|---|"]
        lines += ProblemCode.allCases.map { "| `\($0.rawValue)` | \($0.status) | \(escaped($0.title)) |" }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func table(_ shape: Shape) -> [String] {
        let rows = ReferenceText.rows(shape) { "`\($0)`" }
        guard !rows.isEmpty else { return ["No fields."] }
        return ["| field | type | |", "|---|---|---|"]
            + rows.map { row in
                let name = "`\(row.name)`\(row.isRequired ? "" : " (optional)")"
                return "| \(name) | \(escaped(row.type)) | \(escaped(row.doc)) |"
            }
    }

    /// What would end a cell, or begin a tag, outside of code.
    private static func escaped(_ text: String) -> String {
        let parts = text.split(separator: "`", omittingEmptySubsequences: false)
        return parts.enumerated().map { place, part in
            let cell = part.replacing("|", with: "\\|").replacing("\n", with: " ")
            return place.isMultiple(of: 2) ? cell.replacing("<", with: "&lt;") : cell
        }.joined(separator: "`")
    }
}
