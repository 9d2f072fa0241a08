import Foundation
import Testing

/// The Swift that people copy from the README and the documentation compiles: it stands word for word in `Snippets.swift`.
@Suite("The Swift of the documents")
struct SnippetTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The lines that count: a function, in which a block is compiled, imports nothing.
    private static func lines(_ text: some StringProtocol) -> [String] {
        text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty && !$0.hasPrefix("import ") }
    }

    /// The blocks of Swift in a document, as `<document> <place>`.
    private static func blocks(_ document: String) throws -> [String: [String]] {
        let text = try String(contentsOf: root.appending(path: document), encoding: .utf8)
        var blocks: [String: [String]] = [:]
        for block in text.matches(of: /(?s)```swift\n(.*?)```/) {
            blocks["\(document) \(blocks.count + 1)"] = lines(block.output.1)
        }
        return blocks
    }

    /// The same blocks as they are compiled.
    private static func compiled() throws -> [String: [String]] {
        let text = try String(
            contentsOf: root.appending(path: "Tests/ServiceTests/Support/Snippets.swift"),
            encoding: .utf8
        )
        let regions = text.matches(of: /(?s)\/\/ (\S+\.md \d+)\n(.*?)\/\/ end\n/)
        return Dictionary(uniqueKeysWithValues: regions.map { (String($0.output.1), lines($0.output.2)) })
    }

    @Test("stands in a file that is compiled, word for word")
    func compiles() throws {
        let documents = [
            "README.md", "Sources/Belay/Belay.docc/Belay.md", "Sources/BelayService/BelayService.docc/BelayService.md",
        ]
        let written = try documents.map(Self.blocks).reduce(into: [:]) { $0.merge($1) { first, _ in first } }
        let compiled = try Self.compiled()
        #expect(written.keys.sorted() == compiled.keys.sorted())
        for (place, lines) in written { #expect(compiled[place] == lines, "\(place)") }
    }
}
