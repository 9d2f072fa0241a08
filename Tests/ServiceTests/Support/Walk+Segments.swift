import Testing

@testable import BelayService

extension Walk {
    /// Segments of pipelines, from their registration to the end.
    mutating func segments() async throws {
        let answer = try await call(
            "registerSegments",
            #"""
            {"segments":[{"name":"sum","parents":["scan"],"rule":"group day","parameters":{"depth":2}},
            {"name":"scan","version":"2","tag":"nightly","kind":"files"}]}
            """#
        )
        let instances = answer.at("instances")?.list.compactMap(\.string) ?? []
        #expect(instances.map { $0.prefix { $0 != "@" } } == ["sum", "scan"], "\(answer.text)")
        try await expect(
            "segments",
            #"{"limit":1}"#,
            [
                "segments.0.name": "sum", "segments.0.rule": "group day", "segments.0.parameters": #"{"depth":2}"#,
                "segments.0.kind": "sum", "segments.0.counts.done": 0,
            ]
        )
        try await expect("tagSegments", #"{"instances":["x@0"],"tag":"other"}"#, ["notFound.0": "x@0"])
        try await expect("segments", #"{"tag":"nightly"}"#, ["segments.0.version": "2", "segments.0.kind": "files"])
        let last = try #require(instances.last)
        try await expect("forgetSegment", "{\"instance\":\"\(last)\"}", ["outcome": "forgotten"])
        try await expect("forgetSegment", "{\"instance\":\"\(last)\"}", ["outcome": "notFound"])
    }
}
