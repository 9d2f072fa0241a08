import Belay
import Foundation
import Testing

@testable import BelayService

@Suite("The reference")
struct ReferenceTests {
    @Test("as OpenAPI has every verb, and every reference leads somewhere")
    func openAPI() throws {
        let document = OpenAPI.document
        let paths = try #require(document["paths"]).names
        for entry in VerbTable.entries { #expect(paths.contains("/v1/{namespace}/\(entry.name)")) }
        #expect(paths.count == VerbTable.entries.count + 7)
        let schemas = try #require(document.at("components.schemas")).names
        let references = document.text.matches(of: /#\/components\/schemas\/(\w+)/).map { String($0.output.1) }
        #expect(Set(references).isSubset(of: schemas))
        #expect(Set(schemas) == Set(references))
        let operations = document.text.matches(of: /"operationId":"(\w+)"/).map { String($0.output.1) }
        #expect(Set(operations).count == paths.count + 1, "events have a stream beside the verb")
        // Well formed by another reader too.
        #expect(try json(document.text) == document)
    }

    @Test("as OpenAPI is strict about requests and open about answers")
    func strictness() throws {
        let schemas = try #require(OpenAPI.document.at("components.schemas"))
        #expect(schemas.at("EnqueueRequest.additionalProperties") == false)
        #expect(schemas.at("NewTask.required") == ["kind"])
        #expect(schemas.at("EnqueueResponse.additionalProperties") == nil)
        #expect(schemas.at("Task.properties.state.enum") == JSONValue(TaskState.allCases.map(\.rawValue)))
        #expect(schemas.at("Claim.properties.handle.$ref") == "#/components/schemas/ClaimHandle")
    }

    @Test("as a page has every verb and object, and no script")
    func page() {
        let html = ReferencePage.html
        for entry in VerbTable.entries { #expect(html.contains(">\(entry.name)")) }
        for code in ProblemCode.allCases { #expect(html.contains("<code>\(code.rawValue)</code>")) }
        let anchors = Set(html.matches(of: /id="([\w-]+)"/).map { String($0.output.1) })
        let links = Set(html.matches(of: /href="#([\w-]+)"/).map { String($0.output.1) })
        #expect(links.subtracting(anchors).isEmpty)
        #expect(!html.contains("<script"))
        #expect(!html.contains("http"))
        // What is opened is closed.
        for tag in ["section", "table", "tr", "td", "code", "a", "p", "h3", "small", "span"] {
            let opened = html.matches(of: try! Regex("<\(tag)[ >]")).count
            #expect(opened == html.matches(of: try! Regex("</\(tag)>")).count, "\(tag)")
        }
    }

    @Test("escapes what stands between tags")
    func escaping() {
        #expect(
            ReferencePage.inline("a <b> & `c<d>` \"e\"") == "a &lt;b&gt; &amp; <code>c&lt;d&gt;</code> &quot;e&quot;"
        )
    }

    /// With BELAY_WRITE_REFERENCE set, the test writes the article instead.
    @Test("as an article of the documentation is what the table says")
    func article() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appendingPathComponent("Sources/BelayService/BelayService.docc/MachineInterface.md")
        let article = ReferenceMarkdown.article()
        if ProcessInfo.processInfo.environment["BELAY_WRITE_REFERENCE"] != nil {
            try article.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(
            try String(contentsOf: file, encoding: .utf8) == article,
            "write it anew: BELAY_WRITE_REFERENCE=1 scripts/test --filter ReferenceTests"
        )
    }

    @Test("as Markdown has every verb and whole tables")
    func markdown() {
        let lines = ReferenceMarkdown.article().split(separator: "\n", omittingEmptySubsequences: false)
        for entry in VerbTable.entries { #expect(lines.contains("### \(entry.name)")) }
        for line in lines where line.hasPrefix("|") {
            let bars = line.replacing("\\|", with: "").filter { $0 == "|" }.count
            #expect(bars == 4, "\(line)")
        }
    }
}
