/// Text of tasks as it may be shown on a terminal: what would move the cursor, colour or reorder is spelled out.
enum Escaping {
    /// One line without control characters.
    static func line(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isUnsafe) else { return text }
        return text.unicodeScalars.map(escaped).joined()
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        guard isUnsafe(scalar) else { return String(scalar) }
        switch scalar {
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        case "\u{1b}": return "\\e"
        default: return "\\u{\(String(scalar.value, radix: 16))}"
        }
    }

    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate: true
        // Marks that change the direction of what follows.
        case .format: (0x202a...0x202e).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
        default: false
        }
    }

    /// How many columns a text takes on a terminal.
    static func width(_ text: String) -> Int { text.reduce(0) { $0 + width($1) } }

    /// At most `width` columns, with … where something is missing.
    static func truncate(_ text: String, to width: Int) -> String {
        guard self.width(text) > width else { return text }
        var taken = ""
        var used = 1
        for character in text {
            used += self.width(character)
            if used > width { break }
            taken.append(character)
        }
        return taken + "…"
    }

    private static func width(_ character: Character) -> Int {
        guard let first = character.unicodeScalars.first, first.value >= 0x300 else { return 1 }
        if first.properties.generalCategory == .nonspacingMark { return 0 }
        let wide: [ClosedRange<UInt32>] = [
            0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60,
            0xffe0...0xffe6, 0x1f300...0x1faff, 0x20000...0x3fffd,
        ]
        return wide.contains { $0.contains(first.value) } ? 2 : 1
    }
}
