import ArgumentParser
import Belay
import BelayService
import Logging

/// The finished hooks of a tracker.
struct HooksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hooks",
        abstract: "List finished hooks, add one, remove one, or run them.",
        discussion: """
            A hook is a rule that enqueues a task or posts a webhook whenever a task ends.
            'belay hooks run' (or 'belay serve --hooks') must run somewhere.
            """,
        subcommands: [ListHooks.self, AddHook.self, RemoveHook.self, RunHooks.self],
        defaultSubcommand: ListHooks.self
    )
}

/// Lists hooks.
struct ListHooks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the hooks.")

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await global.withSession { session in
            let hooks = try await session.tracker.hooks().hooks
            guard !session.output.isJSON else {
                for hook in hooks { session.output.json(HookView(hook)) }
                return
            }
            var table = Table([
                .left("HOOK", least: 6), .left("STATES"), .left("KINDS", least: 5), .left("TAGS"),
                .left("FIELD", least: 5), .left("DOES", least: 12),
            ])
            table.rows = hooks.map { hook in
                let condition = hook.rule.condition
                return [
                    .init(hook.rule.name), .init(Self.words(condition.states)), .init(Self.words(condition.kinds)),
                    .init(Self.words(condition.tags)), .init(condition.field.map(\.description) ?? ""),
                    .init(Self.text(hook.rule.action)),
                ]
            }
            session.output.table(table)
        }
    }

    private static func words(_ words: [some CustomStringConvertible]) -> String {
        words.map(\.description).joined(separator: ",")
    }

    private static func text(_ action: HookAction) -> String {
        switch action {
        case .enqueue(let task): "enqueue \(task.kind)" + (task.payload.map { " \(Escaping.line($0))" } ?? "")
        case .webhook(let webhook): "POST \(webhook.url)" + (webhook.secret == nil ? "" : " signed")
        }
    }
}

/// Adds a hook.
struct AddHook: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add a hook, or replace the one of that name.",
        discussion: """
            All conditions that are given must hold; without any, every end of a task counts.
            A hook acts on what ends from now on; one that is replaced acts from where it was.

            A webhook is a POST of JSON: the hook, the state, the event and the whole task. It
            is a task of the kind belay.webhook, so it is tried again until it is taken
            ('belay ls --kind belay.webhook'). With a secret, X-Belay-Signature is sha256= and
            the HMAC-SHA256 of the body in hexadecimal digits. A task that a hook enqueues has
            the same JSON as its payload unless --payload says otherwise, in which {{id}},
            {{kind}} and {{state}} stand for those of the task that ended.

            EXAMPLES
              belay hooks add alarm --state exhausted --webhook https://host/hook --secret-file key
              belay hooks add index --state succeeded --kind 'import*' --enqueue index \\
                --payload '{"import":"{{id}}"}'
              belay hooks add vip --field 'payload:/customer/level="gold"' --kind '!mail' --enqueue mail
            """
    )

    @Argument(help: "Its name: 1 to 64 of A-Z a-z 0-9 . _ : / -")
    var name: String

    @Option(help: "An end: succeeded, exhausted, cancelled or ignored; may be given often. Default: all.")
    var state: [TaskState] = []

    @Option(help: "A kind, the begin of kinds' names and *, or ! and those to leave out; may be given often.")
    var kind: [String] = []

    @Option(help: "A tag; may be given often, a task must have one of them.")
    var tag: [String] = []

    @Option(help: "What the task's bytes must hold: payload:POINTER=JSON or result:POINTER=JSON.")
    var field: String?

    @Option(help: "Create a task of this kind.")
    var enqueue: String?

    @Option(help: "The payload of that task.")
    var payload: String?

    @Option(help: "What that payload is. Default: application/json when it is JSON, else text/plain.")
    var contentType: String?

    @Option(help: "Post to this address, http or https.")
    var webhook: String?

    @Option(help: "A file with the secret of the webhook's signature; '-' is stdin.")
    var secretFile: String?

    @Option(help: "A further header of the webhook, as 'Name: value'; may be given often.")
    var header: [String] = []

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard (enqueue == nil) != (webhook == nil) else {
            throw ValidationError("give either --enqueue or --webhook")
        }
        guard enqueue != nil || payload == nil && contentType == nil else {
            throw ValidationError("--payload and --content-type go with --enqueue")
        }
        guard payload != nil || contentType == nil else { throw ValidationError("--content-type goes with --payload") }
        guard webhook != nil || secretFile == nil && header.isEmpty else {
            throw ValidationError("--secret-file and --header go with --webhook")
        }
    }

    func run() async throws {
        let condition = HookCondition(
            states: state,
            kinds: try kind.map { try KindPattern($0) },
            tags: try tag.map { try TaskTag($0) },
            field: try field.map { text throws(TrackerError) in try HookField(text) }
        )
        let rule = HookRule(name, when: condition, action: try action())
        try rule.validate()
        try await global.withSession { session in
            try await session.tracker.defineHook(rule)
            guard session.output.isJSON else { return }
            if let hook = try await session.tracker.hooks().hooks.first(where: { $0.rule.name == name }) {
                session.output.json(HookView(hook))
            }
        }
    }

    private func action() throws -> HookAction {
        if let enqueue {
            let type = payload.map { contentType ?? Body(guessing: Array($0.utf8)).contentType }
            return .enqueue(HookTask(try KindName(enqueue), payload: payload, contentType: type ?? Body.json))
        }
        var headers: [String: String] = [:]
        for line in header {
            guard let colon = line.firstIndex(of: ":") else {
                throw ValidationError("header “\(Escaping.line(line))” has no colon; write it as 'Name: value'")
            }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            headers[String(line[..<colon])] = String(value)
        }
        return .webhook(Webhook(url: webhook ?? "", secret: try secret(), headers: headers))
    }

    /// The file's text without the end of its line.
    private func secret() throws -> String? {
        guard let secretFile else { return nil }
        var bytes = try Body.bytes(of: secretFile)
        while bytes.last == UInt8(ascii: "\n") || bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure(.badData, "the secret in “\(Escaping.line(secretFile))” is no UTF-8")
        }
        return text
    }
}

/// Removes a hook.
struct RemoveHook: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a hook; its webhooks that wait are given up."
    )

    @Argument(help: "The hook.")
    var name: String

    @OptionGroup var global: GlobalOptions

    /// What was removed, in JSON.
    private struct View: Encodable {
        var name: String
        var outcome: HookRemoval
    }

    func run() async throws {
        try await global.withSession { session in
            let outcome = try await session.tracker.removeHook(name)
            guard outcome == .removed else {
                throw Failure(.notFound, "no hook “\(Escaping.line(name))” in this tracker; 'belay hooks' lists them")
            }
            guard session.output.isJSON else { return session.output.line("\(name)  removed") }
            session.output.json(View(name: name, outcome: outcome))
        }
    }
}

/// Runs the hooks.
struct RunHooks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Act on the hooks: enqueue their tasks, send their webhooks; run it beside your services.",
        discussion: """
            Any number may run at once, and each may die at any moment: what a hook does is
            done once for each end. SIGTERM or SIGINT ends it with exit code 0.
            """
    )

    @Option(help: "How often to look while nothing happens, 10ms to 1m. Default: 250ms.", transform: Span.parse)
    var interval = Span(.milliseconds(250))

    @Option(help: "Webhooks at once, 0 to 1000; 0 leaves them to others.")
    var slots = 16

    @Flag(help: "Act on what has ended until now, then end; webhooks are enqueued and not sent.")
    var once = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard (0...1000).contains(slots) else { throw ValidationError("--slots must be 0 to 1000") }
    }

    func run() async throws {
        try await global.withSession(logging: once ? .warning : .info) { session in
            var configuration = HookRunner.Configuration()
            configuration.pollInterval = interval.duration
            let runner = try HookRunner(session.tracker, configuration: configuration)
            if once {
                let count = try await runner.catchUp()
                return session.output.isJSON
                    ? session.output.json(["created": count]) : session.output.line("\(count) created")
            }
            try await session.tracker.open()
            session.logger.info("running hooks", metadata: ["tracker": "\(session.tracker.namespace)"])
            guard slots > 0 else { return try await session.serve([runner]) }
            var sending = Worker.Configuration()
            sending.slots = slots
            try await session.serve([runner, try WebhookWorker(session.tracker, configuration: sending)])
        }
    }
}

/// A hook in JSON, but for its secret.
private struct HookView: Encodable {
    struct Field: Encodable {
        var `in`: HookField.Source
        var pointer: String
        var equals: HookValue
    }
    struct Enqueue: Encodable {
        var kind: KindName
        var payload: String?
        var contentType: String?
    }
    struct Post: Encodable {
        var url: String
        var signed: Bool
        var headers: [String: String]
    }

    var name: String
    var since: Timestamp
    var states: [TaskState]
    var kinds: [KindPattern]
    var tags: [TaskTag]
    var field: Field?
    var enqueue: Enqueue?
    var webhook: Post?

    init(_ hook: DefinedHook) {
        let condition = hook.rule.condition
        name = hook.rule.name
        since = hook.since
        (states, kinds, tags) = (condition.states, condition.kinds, condition.tags)
        field = condition.field.map { Field(in: $0.source, pointer: $0.pointer, equals: $0.equals) }
        switch hook.rule.action {
        case .enqueue(let task):
            enqueue = Enqueue(
                kind: task.kind,
                payload: task.payload,
                contentType: task.payload == nil ? nil : task.contentType
            )
        case .webhook(let request):
            webhook = Post(url: request.url, signed: request.secret != nil, headers: request.headers)
        }
    }
}
