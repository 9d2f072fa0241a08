import ArgumentParser
import Belay

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Which part of a listing.
struct PageOptions: ParsableArguments {
    @Option(help: "Tasks in a page, 1 to 500.")
    var limit = 50

    @Option(help: "Where the page begins, as the page before said.")
    var cursor: String?

    @Flag(help: "All pages.")
    var all = false

    /// Shows the page, or all from there on, and says where the next one begins.
    /// - Parameter show: Shows a page of so many from a cursor on, and answers the cursor of the next.
    func each(
        _ output: Output,
        _ show: (_ limit: Int, _ cursor: String?) async throws -> String?
    ) async throws {
        var next = try cursor.map(PageCursor.decode)
        repeat {
            next = try await show(all ? Limits.batch : limit, next)
        } while all && next != nil
        guard let cursor = next.map(PageCursor.encode) else { return }
        if output.isJSON {
            output.json(CursorView(cursor: cursor))
        } else {
            output.note("there are more: --cursor \(cursor), or --all")
        }
    }
}

/// When what is listed was created.
struct CreationOptions: ParsableArguments {
    @Option(help: "Only those created at that moment or later, RFC 3339.", transform: Timestamp.parse)
    var createdFrom: Timestamp?

    @Option(help: "Only those created before that moment, RFC 3339.", transform: Timestamp.parse)
    var createdTo: Timestamp?

    func validate() throws {
        if let createdFrom, let createdTo, createdFrom > createdTo {
            throw ValidationError("--created-from \(createdFrom) is after --created-to \(createdTo)")
        }
    }

    /// Nil for whenever.
    var range: Range<Timestamp>? {
        guard createdFrom != nil || createdTo != nil else { return nil }
        let from = createdFrom ?? min(Timestamp(microseconds: 0), createdTo ?? Timestamp(microseconds: 0))
        return from..<(createdTo ?? max(from, Timestamp(microseconds: 1 << 53)))
    }
}

/// The tracker's cursors as one word that needs no quotes.
enum PageCursor {
    static func encode(_ cursor: String) -> String {
        let text = Data(cursor.utf8).base64EncodedString()
        return String(text.compactMap { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 == "=" ? nil : $0 })
    }

    static func decode(_ word: String) throws -> String {
        let text = String(word.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        let padded = text + String(repeating: "=", count: (4 - text.count % 4) % 4)
        guard let data = Data(base64Encoded: padded), let cursor = String(validating: data, as: UTF8.self) else {
            throw Failure(.usage, "cursor “\(Escaping.line(word))” is not allowed; allowed: what the page before said")
        }
        return cursor
    }
}
