/// Rows under headings that fit the terminal: when they are too wide, flexible columns are cut with ….
struct Table {
    /// A column.
    struct Column {
        var title: String
        var isRight = false
        /// Whether it may be cut, and down to how much.
        var least: Int?

        /// Text, to the left.
        static func left(_ title: String, least: Int? = nil) -> Column { Column(title: title, least: least) }
        /// Numbers, to the right.
        static func right(_ title: String) -> Column { Column(title: title, isRight: true) }
    }

    /// A cell; its text is escaped when it is shown.
    struct Cell: ExpressibleByStringInterpolation {
        var text: String
        var colour: Colours.Code?

        init(_ text: String, _ colour: Colours.Code? = nil) {
            self.text = text
            self.colour = colour
        }
        init(stringLiteral text: String) { self.init(text) }
    }

    var columns: [Column]
    var rows: [[Cell]] = []

    init(_ columns: [Column]) { self.columns = columns }

    /// The lines, heading first.
    func lines(width: Int?, colours: Colours) -> [String] {
        let texts = rows.map { $0.map { Escaping.line($0.text) } }
        let widths = fitted(texts, to: width)
        var lines = [render(columns.map(\.title), widths, columns.map { _ in .dim }, colours)]
        for (row, cells) in zip(texts, rows) { lines.append(render(row, widths, cells.map(\.colour), colours)) }
        return lines
    }

    private func fitted(_ texts: [[String]], to width: Int?) -> [Int] {
        var widths = columns.map { Escaping.width($0.title) }
        for row in texts { for (i, text) in row.enumerated() { widths[i] = max(widths[i], Escaping.width(text)) } }
        guard let width else { return widths }
        var excess = widths.reduce(0, +) + 2 * (columns.count - 1) - width
        while excess > 0 {
            // The widest flexible column gives first.
            let flexible = columns.indices.filter { widths[$0] > (columns[$0].least ?? .max) }
            guard let widest = flexible.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
            excess -= 1
        }
        return widths
    }

    private func render(_ row: [String], _ widths: [Int], _ codes: [Colours.Code?], _ colours: Colours) -> String {
        var line = ""
        for (i, text) in row.enumerated() {
            let shown = Escaping.truncate(text, to: widths[i])
            let gap = String(repeating: " ", count: max(0, widths[i] - Escaping.width(shown)))
            let isLast = i == row.count - 1
            let painted = colours.paint(shown, codes[i])
            line += columns[i].isRight ? gap + painted : painted + (isLast ? "" : gap)
            if !isLast { line += "  " }
        }
        return line
    }
}
