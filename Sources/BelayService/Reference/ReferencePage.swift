import Belay

/// The reference as a page for people: plain HTML, no scripts, nothing from elsewhere.
public enum ReferencePage {
    /// The whole page.
    public static let html: String = {
        let verbs = VerbTable.entries.map(section).joined()
        let parts = ReferenceText.parts.map { part in
            "<section id=\"type-\(escaped(part.name))\"><h3>\(escaped(part.name))</h3>"
                + table(ReferenceText.rows(.object(part), link: link)) + "</section>\n"
        }
        let codes = ProblemCode.allCases.map { code in
            "<tr><td><code>\(code.rawValue)</code></td><td>\(code.status)</td><td>\(escaped(code.title))</td></tr>"
        }
        let links = VerbTable.entries.map { "<a href=\"#\(anchor($0.name))\">\(escaped($0.name))</a>" }
        return """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Belay \(ServiceVersion.number): the machine interface</title>
            <style>\(style)</style></head><body>
            <h1>Belay \(ServiceVersion.number): the machine interface</h1>
            \(ReferenceText.introduction.map { "<p>\(inline($0))</p>" }.joined(separator: "\n"))
            <nav>\(links.joined(separator: " "))</nav>
            <h2>Verbs</h2>
            \(verbs)
            <h2>Objects</h2>
            \(parts.joined())
            <h2>Problems</h2>
            <p>\(inline("Problem details (RFC 9457), `application/problem+json`: `type`, `title`, `status`, `detail`, `code`, "
                + "`retriable`, `outcome` (`nothing` or `unknown`), and where known `field`, `found` and `allowed`."))</p>
            <table><tr><th>code</th><th>status</th><th></th></tr>\(codes.joined())</table>
            </body></html>
            """
    }()

    private static let style = """
        body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
        table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}
        th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #ddd}
        code{font:.9em ui-monospace,monospace;background:#f4f4f4;padding:0 .2em}
        nav{line-height:2}nav a{margin-right:.6rem}section{margin-bottom:2rem}
        .write{font-size:.8rem;color:#a40}h3{margin-bottom:.2rem}
        @media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}code{background:#282828}a{color:#8bf}
        th,td{border-color:#444}}
        """

    private static func section(_ entry: VerbEntry) -> String {
        let mark = entry.isWrite ? " <span class=\"write\">write</span>" : ""
        let problems = ReferenceText.problems(entry)
        return """
            <section id="\(anchor(entry.name))"><h3>\(escaped(entry.name))\(mark)</h3>
            <p>\(inline(entry.summary))</p>
            <h4>Request</h4>\(table(ReferenceText.rows(entry.request, link: link)))
            <h4>Answer</h4>\(table(ReferenceText.rows(entry.response, link: link)))
            \(problems.isEmpty ? "" : "<p>Problems of its own: \(inline(problems)).</p>")</section>

            """
    }

    private static func table(_ rows: [ReferenceText.Row]) -> String {
        guard !rows.isEmpty else { return "<p>No fields.</p>" }
        let lines = rows.map { row in
            // The type holds links, so it is made of escaped parts.
            "<tr><td><code>\(escaped(row.name))</code>\(row.isRequired ? "" : " <small>optional</small>")</td>"
                + "<td>\(code(row.type))</td><td>\(inline(row.doc))</td></tr>"
        }
        return "<table>\(lines.joined())</table>"
    }

    private static func link(_ name: String) -> String { "<a href=\"#type-\(escaped(name))\">\(escaped(name))</a>" }
    private static func anchor(_ name: String) -> String { "verb-" + escaped(name.replacing("/", with: "-")) }

    static func escaped(_ text: String) -> String {
        var clean = ""
        for character in text {
            switch character {
            case "&": clean += "&amp;"
            case "<": clean += "&lt;"
            case ">": clean += "&gt;"
            case "\"": clean += "&quot;"
            case "'": clean += "&#39;"
            default: clean.append(character)
            }
        }
        return clean
    }

    /// Text whose words in backticks are code.
    static func inline(_ text: String) -> String { code(escaped(text)) }

    private static func code(_ text: String) -> String {
        let parts = text.split(separator: "`", omittingEmptySubsequences: false)
        return parts.enumerated().map { $0.isMultiple(of: 2) ? String($1) : "<code>\($1)</code>" }.joined()
    }
}
