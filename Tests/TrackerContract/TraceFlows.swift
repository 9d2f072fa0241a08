import BelayTestKit

@testable import Belay

/// Traces of flows with more children than one call tells of an end.
extension TraceGenerator {
    private static let parents: [TaskID] = ["p0", "p1", "p2", "p3"]

    /// Four parents, three of a tag, 900 children of them, and what may become of these.
    static func flows(seed: UInt64) -> [Step] {
        var generator = TraceGenerator(seed: seed)
        let policy = KindPolicy(lease: .seconds(10), attempts: 2, retry: .fixed(.seconds(1)))
        generator.send(Define(kind: "mail", policy: policy, replace: false))
        generator.enqueue(parents.enumerated().map { ($1, $0 == 3 ? [] : ["few"], nil) })
        for batch in 0..<3 {
            generator.enqueue((0..<300).map { (TaskID(trusted: "\(batch)-\($0)"), ["many"], generator.needs(batch)) })
        }
        for _ in 0..<30 { generator.stepOfFlow() }
        generator.lookAtEvents()
        return generator.steps
    }

    private mutating func needs(_ batch: Int) -> Dependencies {
        let all: [Dependencies.Parent] = Self.parents.map { .task($0) } + [.tag("few")]
        return Dependencies(
            Array(all.shuffled(using: &random).prefix(1 + random.below(3))),
            condition: random.pick(Dependencies.Condition.allCases),
            quorum: random.pick([.all, .any, .share(0.5)])
        )
    }

    private mutating func enqueue(_ tasks: [(TaskID, [TaskTag], Dependencies?)]) {
        let items = tasks.map { id, tags, dependencies in
            var wishes = Enqueue.Wishes()
            (wishes.tags, wishes.dependencies) = (tags, dependencies)
            return Enqueue.Item(
                id: id,
                kind: 0,
                due: .now,
                priority: 5,
                payload: .empty,
                attempts: nil,
                trace: [:],
                wishes: wishes
            )
        }
        send(Enqueue(nonce: nil, actor: "anna", kinds: [("mail", nil)], items: items, payloadLimit: 100))
    }

    private mutating func stepOfFlow() {
        let parent = random.pick(Self.parents)
        switch random.below(12) {
        case 0...2: succeed(parent)
        case 3: send(Cancel(targets: .tasks([parent]), reason: "", actor: "bob"))
        case 4: send(Delete(targets: .tasks([parent]), force: true))
        case 5: enqueue([(parent, parent == "p3" ? [] : ["few"], nil)])
        case 6: send(Retry(targets: .tasks([parent]), budget: .fresh, force: true, actor: "bob"))
        case 7:
            let states = TaskState.allCases.filter { $0.isTerminal && !random.chance(3) }
            if !states.isEmpty {
                send(Retry(targets: .tag("many", states, limit: 300), budget: .fresh, actor: "bob"))
            }
        case 8:
            send(
                ClaimMany(
                    token: token(),
                    worker: Self.workers[0],
                    count: random.pick([1, 100, 500]),
                    kinds: ["mail"],
                    lease: .seconds(10)
                )
            )
        case 9: send(Cancel(targets: .tag("many", [.blocked], limit: 50), reason: "", actor: "bob"))
        default: send(Reap(limit: 100, estimatedNow: nil))
        }
        if random.chance(3) { move(.seconds(random.pick([0, 1, 11]))) }
        send(Stats())
        send(Tags(tags: ["few", "many"]))
    }

    private mutating func succeed(_ parent: TaskID) {
        let verb = Acquire(
            id: parent,
            token: token(),
            worker: Self.workers[1],
            lease: nil,
            options: .ignoreDue,
            held: nil
        )
        guard case .claimed(let claim)? = send(verb) else { return }
        send(Complete(items: [(claim.handle, .empty)], payloadLimit: 100))
    }
}
