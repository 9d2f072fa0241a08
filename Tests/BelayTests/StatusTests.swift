import Testing

@testable import Belay

@Suite("A status")
struct StatusTests {
    @Test("has the code and the name of abstract_tracker, and those of Belay beyond")
    func codes() {
        #expect(StatusCode.allCodes == [0, 10, 20, 30, 40, 50, 60, 70, 80])
        let names = [
            "pending", "inProgress", "failed", "exhausted", "succeeded", "ignored", "paused", "cancelled", "blocked",
        ]
        #expect(StatusCode.allNames == names)
        for (name, code) in zip(StatusCode.allNames, StatusCode.allCodes) {
            #expect(StatusCode(name: name)?.rawValue == code)
            #expect(StatusCode(rawValue: code)?.name == name)
        }
        #expect(StatusCode(name: "unknown") == nil)
        #expect(StatusCode(rawValue: 1) == nil)
    }

    @Test("of a task follows its state; one that waits after a failure or crash has failed")
    func records() {
        var record = TaskRecord(id: "a", kind: "k", state: .ready, created: Timestamp(microseconds: 1))
        #expect(record.status == .pending)
        record.failures = 1
        #expect(record.status == .failed)
        (record.failures, record.crashes) = (0, 1)
        #expect(record.status == .failed)
        let states: [TaskState: StatusCode] = [
            .running: .inProgress, .paused: .paused, .succeeded: .succeeded, .exhausted: .exhausted,
            .cancelled: .cancelled, .ignored: .ignored, .blocked: .blocked,
        ]
        #expect(states.count == TaskState.allCases.count - 1)
        for (state, status) in states {
            record.state = state
            #expect(record.status == status)
        }
    }

    @Test("tells whether a task has ended")
    func ends() {
        let ended = TaskState.allCases.filter(\.isTerminal)
        #expect(ended == [.succeeded, .exhausted, .cancelled, .ignored])
    }

    @Test("has letters of its own in records, a paused task one more while its holder keeps the lock")
    func letters() {
        let all = TaskState.allCases.map(\.letters).joined()
        #expect(Set(all).count == 9 && all.count == 9)
        for state in TaskState.allCases {
            for letter in state.letters { #expect(TaskState(letter: String(letter)) == state) }
        }
        for letter in ["", "z", "ph", "Q", "é"] { #expect(TaskState(letter: letter) == nil) }
    }
}
