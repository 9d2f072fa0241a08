import Testing

@testable import Belay

@Suite("Flows")
struct FlowTests {
    private static let kind = TaskKind<Int, NoOutput>("k", policy: KindPolicy(attempts: 2))

    @Test("are sent with every parent before its children, otherwise in the order in which they were described")
    func order() throws {
        var flow = try Flow("f")
        try flow.add(Self.kind, 1, as: "last", after: ["second", "first"])
        try flow.add(Self.kind, 2, as: "second", after: ["first"])
        try flow.add(Self.kind, 3, as: "aside")
        try flow.add(Self.kind, 4, as: "first")
        let compiled = try flow.compiled()
        let ids = compiled.map { $0.task.options.id?.description ?? "" }
        #expect(ids == ["flow/f/aside", "flow/f/first", "flow/f/second", "flow/f/last"])
        #expect(compiled.map(\.place) == [2, 3, 1, 0])
        let parents: [Dependencies.Parent] = [.task("flow/f/second"), .task("flow/f/first")]
        #expect(compiled[3].task.options.after == Dependencies(parents))
        #expect(compiled[0].task.options.after == nil)
        #expect(compiled.allSatisfy { $0.task.options.tags == [flow.tag] && $0.policy?.attempts == 2 })
    }

    @Test("name what they wait for: a step by its task, a group by its tag, and how")
    func triggers() throws {
        var flow = try Flow("f")
        let pages = try flow.group(Self.kind, [1, 2], as: "pages")
        let triggers: [(Flow.Trigger, Dependencies.Condition, Dependencies.Quorum)] = [
            (.complete, .ended, .all), (.success, .succeeded, .all), (.exhausted, .failed, .any),
            (.completeOrFailure, .endedOrFirstFailure, .all),
        ]
        for (trigger, _, _) in triggers {
            try flow.add(Self.kind, 3, as: trigger.rawValue, after: [pages], when: trigger)
        }
        let tasks = try flow.compiled().map(\.task)
        #expect(flow.tasks(of: pages) == ["flow/f/pages/1", "flow/f/pages/2"])
        #expect(tasks[0].options.tags == ["flow/f", "flow/f/pages"])
        for (task, (_, condition, quorum)) in zip(tasks.dropFirst(2), triggers) {
            let wanted = Dependencies([.tag("flow/f/pages")], condition: condition, quorum: quorum)
            #expect(task.options.after == wanted)
        }
    }

    @Test("chain payloads one behind the other, and make names where none are given")
    func chain() throws {
        var flow = try Flow("f")
        let start = try flow.add(Self.kind, 0)
        let end = try flow.chain(Self.kind, [1, 2], after: [start])
        #expect((start.description, end.description) == ("k", "k-3"))
        let parents = try flow.compiled().map { $0.task.options.after?.parents ?? [] }
        #expect(parents == [[], [.task("flow/f/k")], [.task("flow/f/k-2")]])
    }

    @Test("with a cycle are refused, and the cycle is named from its first step on")
    func cycles() throws {
        var flow = try Flow("f")
        try flow.add(Self.kind, 0, as: "start")
        try flow.add(Self.kind, 0, as: "a", after: ["start", "c"])
        try flow.add(Self.kind, 0, as: "b", after: ["a"])
        try flow.add(Self.kind, 0, as: "c", after: ["b"])
        try flow.add(Self.kind, 0, as: "end", after: ["c"])
        let error = #expect(throws: TrackerError.self) { try flow.compiled() }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("a -> b -> c -> a") == true, "\(error?.message ?? "")")
        var alone = try Flow("f")
        try alone.add(Self.kind, 0, as: "a", after: ["a"])
        #expect(throws: TrackerError.self) { try alone.compiled() }
    }

    @Test("with unknown steps, names that stand twice, or no tasks are refused, naming what is wrong")
    func refused() throws {
        var flow = try Flow("f")
        #expect(throws: TrackerError.self) { try flow.compiled() }
        try flow.add(Self.kind, 0, as: "a", after: ["nobody"])
        var error = #expect(throws: TrackerError.self) { try flow.compiled() }
        #expect(error?.code == .unknownParent)
        #expect(error?.message.contains("nobody") == true)
        flow = try Flow("f")
        for _ in 1...2 { try flow.add(Self.kind, 0, as: "a") }
        error = #expect(throws: TrackerError.self) { try flow.compiled() }
        #expect(error?.message.contains("“a”") == true)
        flow = try Flow("f")
        try flow.group(Self.kind, Array(1...501))
        error = #expect(throws: TrackerError.self) { try flow.compiled() }
        #expect(error?.message.contains("501") == true)
        #expect(throws: TrackerError.self) { try flow.group(Self.kind, []) }
        #expect(throws: TrackerError.self) { try flow.chain(Self.kind, []) }
        #expect(throws: TrackerError.self) { try flow.add(Self.kind, 0, as: "a/b") }
        #expect(throws: TrackerError.self) { try Flow("a b") }
        let task = NewTask("k", options: EnqueueOptions(after: .after("x")))
        #expect(throws: TrackerError.self) { try flow.add(task) }
    }
}
