import Belay

/// Colours of a terminal; plain text when it shows none.
struct Colours: Sendable {
    /// A colour's code.
    enum Code: String, Sendable {
        case red = "31"
        case green = "32"
        case yellow = "33"
        case blue = "34"
        case dim = "2"
        case bold = "1"
    }

    var isOn: Bool

    /// The text in a colour.
    func paint(_ text: String, _ code: Code?) -> String {
        guard isOn, let code else { return text }
        return "\u{1b}[\(code.rawValue)m\(text)\u{1b}[0m"
    }

    /// The colour that stands for a state.
    static func of(_ state: TaskState) -> Code? {
        switch state {
        case .ready, .blocked: nil
        case .running: .blue
        case .succeeded: .green
        case .exhausted: .red
        case .cancelled, .paused: .yellow
        case .ignored: .dim
        }
    }

    /// The colour that stands for the end of an attempt.
    static func of(_ outcome: Attempt.Outcome) -> Code? {
        switch outcome {
        case .running: .blue
        case .succeeded: .green
        case .failed, .crashed, .timedOut: .red
        case .released, .snoozed, .cancelled, .superseded: .yellow
        }
    }
}
