import BelayTestKit

@testable import Belay

/// Random calls that write and give out nothing to remember.
extension TraceGenerator {
    mutating func enqueue() {
        let names = random.chance(4) ? Array(Self.kinds.shuffled(using: &random).prefix(2)) : [random.pick(Self.kinds)]
        let kinds = names.map { (name: $0, policy: random.chance(3) ? nil : policy()) }
        let items = (0..<random.pick([1, 1, 2, 3])).map { _ in
            Enqueue.Item(
                id: random.pick(Self.ids),
                kind: random.below(kinds.count),
                due: due(),
                priority: random.pick([5, 5, 0, 9, 4]),
                payload: body(),
                attempts: random.chance(4) ? random.pick([1, 2]) : nil,
                trace: random.chance(4) ? ["traceparent": "00-1=2-3"] : [:],
                wishes: random.chance(2) ? nil : wishes()
            )
        }
        send(
            Enqueue(
                nonce: random.chance(3) ? nil : "n\(random.below(8))",
                actor: "anna",
                message: message(),
                kinds: kinds,
                items: items,
                payloadLimit: Limits.defaultPayloadBytes
            )
        )
    }

    // MARK: - Holders

    mutating func progress() {
        let fraction = random.chance(4) ? nil : Double(random.below(1001)) / 1000
        send(Progress(handle: aHandle(), fraction: fraction, message: random.pick(["", "half"])))
    }

    mutating func complete() {
        let items = someHandles().map { ($0, random.chance(3) ? Body.empty : body()) }
        send(Complete(items: items, payloadLimit: Limits.defaultPayloadBytes))
    }

    mutating func fail() {
        let items = someHandles().map { handle in
            let text = random.pick(["", "no such file", String(repeating: "\"ä", count: 4000)])
            let backtrace: [String] = random.pick([
                [], [""], ["main"], ["main", "", "read"], Array(repeating: "frame", count: 3000),
            ])
            let failure = TaskFailure(type: "error", message: text, backtrace: backtrace, host: "h", pid: 1)
            let delay = random.chance(3) ? self.delay() : nil
            let disposition: FailureDisposition = random.pick([
                .retry(after: delay), .retry(), .retry(), .exhaust, .cancelled,
            ])
            return Fail.Item(handle: handle, failure: failure, disposition: disposition)
        }
        send(Fail(items: items))
    }

    mutating func giveBack() {
        if random.chance(2) {
            send(Release(handles: someHandles(), delay: random.chance(2) ? delay() : nil))
        } else {
            send(SnoozeTasks(items: someHandles().map { ($0, delay()) }))
        }
    }

    mutating func save() {
        let place: Save.Place = random.pick([.data, .response])
        send(Save(handle: aHandle(), place: place, body: body(), payloadLimit: Limits.defaultPayloadBytes))
    }

    mutating func shiftHeld() {
        let target = ShiftTargets.held(aHandle())
        if random.chance(2) {
            send(Pause(target, actor: "bob", message: message()))
        } else {
            send(Resume(target, actor: "bob", message: message()))
        }
    }

    // MARK: - Operators

    mutating func shift() {
        switch random.below(5) {
        case ..<2: send(Pause(.tasks(someIDs()), actor: "bob", message: message()))
        case ..<4: send(Resume(.tasks(someIDs()), actor: "bob", message: message()))
        default: send(Ignore(ids: someIDs(), actor: "bob", message: message()))
        }
    }

    mutating func log() {
        let id = random.pick(Self.ids)
        let handle = random.chance(2) ? aHandle() : nil
        send(Log(id: handle?.id ?? id, handle: handle, actor: "bob", nonce: "m\(random.below(6))", message: message()))
    }

    mutating func cancel() {
        let (targets, reason) = (someTargets(TaskState.unfinished), random.pick(["", "because"]))
        send(Cancel(targets: targets, reason: reason, signal: random.pick([nil, nil, 9, 15]), actor: "bob"))
    }

    mutating func retry() {
        let budget: RetryBudget = random.pick([.fresh, .kept])
        let targets = someTargets(TaskState.allCases)
        send(Retry(targets: targets, budget: budget, force: random.chance(3), actor: "bob", message: message()))
    }

    mutating func delete() { send(Delete(targets: someTargets(TaskState.allCases), force: random.chance(3))) }

    mutating func prioritise() {
        send(Prioritise(ids: someIDs(), priority: random.pick([5, 0, 9, 4]), actor: "bob"))
    }

    /// Tasks, or those of a tag in some states.
    private mutating func someTargets(_ states: [TaskState]) -> TaskTargets {
        if !random.chance(3) { return .tasks(someIDs()) }
        let some = Array(states.shuffled(using: &random).prefix(1 + random.below(states.count)))
        return .tag(random.pick(Self.tags), some, limit: random.pick([1, 2, 500]), passed: random.pick([0, 0, 1, 2]))
    }

    mutating func undefine() {
        var verb = Undefine(kind: random.pick(Self.kinds), force: random.chance(2))
        verb.limit = random.pick([1, 2, 500])
        send(verb)
    }

    mutating func define() { send(Define(kind: random.pick(Self.kinds), policy: policy(), replace: random.chance(2))) }

    // MARK: - Gates and workers

    mutating func gate() {
        let kind = random.chance(4) ? nil : random.chance(8) ? "unknown" : random.pick(Self.kinds)
        let message = random.pick(["", "why not", "\u{301}ü 7"])
        send(Gate(kind: kind, pause: random.chance(3), actor: "bob", message: message))
    }

    mutating func beat() {
        send(
            Beat(
                worker: random.pick(Self.workers),
                event: random.pick([.online, .heartbeat, .heartbeat, .offline, .drained]),
                interval: random.pick([.seconds(1), .seconds(10), .seconds(3600)]),
                slots: random.below(9),
                active: random.below(9),
                succeeded: random.below(1000),
                failed: random.below(10),
                software: random.pick(["belay", "other/1.0"]),
                clock: random.chance(2) ? nil : now + .milliseconds(random.below(9000) - 4500),
                kinds: Array(Self.kinds.shuffled(using: &random).prefix(random.pick([1, 2, 3])))
            )
        )
    }

    // MARK: - Sweeps

    mutating func purge() { send(Purge(limit: random.pick([1, 2, 10]))) }
}
