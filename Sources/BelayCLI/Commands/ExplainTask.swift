import ArgumentParser
import Belay
import BelayService

/// Tells why a task does not run.
struct ExplainTask: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Tell why a task does not run, or did not: one line a reason, the first to begin with.",
        discussion: """
            EXAMPLES
              belay explain mail-7
              belay explain --kind report --identifier 2030-01 --json
            """
    )

    @OptionGroup var name: TaskName
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let id = try name.task()
        try await global.withSession { session in
            guard let explanation = try await session.tracker.explain(id) else { throw Failure.noTask([id]) }
            guard !session.output.isJSON else {
                let reasons = explanation.reasons.map(ReasonJSON.init)
                return session.output.json(
                    View(
                        id: id,
                        kind: explanation.kind,
                        state: explanation.state,
                        now: explanation.now,
                        reasons: reasons
                    )
                )
            }
            for reason in explanation.reasons { session.output.line(Escaping.line(reason.description)) }
        }
    }

    private struct View: Encodable {
        var id: TaskID
        var kind: KindName
        var state: TaskState
        var now: Timestamp
        var reasons: [ReasonJSON]
    }
}
