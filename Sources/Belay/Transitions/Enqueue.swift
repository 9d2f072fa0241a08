import BelayScripts
package import RedisWire

/// Creates tasks.
package struct Enqueue: Verb {
    package enum Due: Sendable, Hashable {
        case now
        case after(Duration)
        case at(Timestamp)
    }

    package struct Item: Sendable {
        package var id: TaskID
        package var kind: Int
        package var due: Due
        package var priority: Int
        package var payload: Body
        package var attempts: Int?
        package var trace: [String: String]
        package var wishes: Wishes?

        package init(
            id: TaskID,
            kind: Int,
            due: Due,
            priority: Int,
            payload: Body,
            attempts: Int?,
            trace: [String: String],
            wishes: Wishes? = nil
        ) {
            self.id = id
            self.kind = kind
            self.due = due
            self.priority = priority
            self.payload = payload
            self.attempts = attempts
            self.trace = trace
            self.wishes = wishes
        }
    }

    /// What only some tasks ask for.
    package struct Wishes: Sendable {
        package var tags: [TaskTag] = []
        package var dependencies: Dependencies?
        package var expires: Due?
        package var unique: Uniqueness?
        package var reuse = false

        package init() {}

        package var isEmpty: Bool {
            tags.isEmpty && dependencies == nil && expires == nil && unique == nil && !reuse
        }
    }

    /// What became of the items, by their places from 0: those that are not named were created.
    package struct Response: Sendable, Hashable {
        /// The id was taken by another request.
        package var duplicates: Set<Int> = []
        /// So many of the kind wait already.
        package var full: [Int: Int] = [:]
        /// That task has the same content.
        package var repeated: [Int: TaskID] = [:]
        /// The task of this id succeeded and is used again.
        package var reused: Set<Int> = []

        package init(
            duplicates: Set<Int> = [],
            full: [Int: Int] = [:],
            repeated: [Int: TaskID] = [:],
            reused: Set<Int> = []
        ) {
            self.duplicates = duplicates
            self.full = full
            self.repeated = repeated
            self.reused = reused
        }
    }

    package static let script = RedisScript(.enqueue)
    /// Proves which request made a task whose id the caller chose; nil when all ids were generated for this request.
    package var nonce: String?
    package var actor: String
    /// What the tasks' logs say of it; empty for nothing.
    package var message = ""
    package var kinds: [(name: KindName, policy: KindPolicy?)]
    package var items: [Item]
    package var payloadLimit: Int

    package func validate() throws(TrackerError) {
        guard (1...Limits.batch).contains(items.count) else {
            throw .invalid("number of tasks", items.count, allowed: "1 to \(Limits.batch) in one call")
        }
        for kind in kinds { try kind.policy?.validate() }
        try Names.checkMessage(message)
        for item in items {
            guard Limits.priorities.contains(item.priority) else {
                throw .invalid("priority", item.priority, allowed: "0 to 9, 9 is claimed first")
            }
            if let attempts = item.attempts, !Limits.attempts.contains(attempts) {
                throw .invalid("attempts", attempts, allowed: "1 to 10,000")
            }
            try Self.check(item.due, "delay", "run time")
            if let wishes = item.wishes { try Self.check(wishes, of: item.id) }
            try Self.check(item.payload, limit: payloadLimit, what: "payload of task “\(item.id)”")
        }
    }

    private static func check(_ due: Due, _ delayName: String, _ momentName: String) throws(TrackerError) {
        switch due {
        case .now: break
        case .after(let delay):
            guard Limits.delay.contains(delay) else { throw .invalid(delayName, delay, allowed: "0 s to 3,650 days") }
        case .at(let moment):
            guard (0...4_102_444_800_000_000).contains(moment.microseconds) else {
                throw .invalid(momentName, moment, allowed: "from 1970 to 2100")
            }
        }
    }

    private static func check(_ wishes: Wishes, of id: TaskID) throws(TrackerError) {
        guard wishes.tags.count <= Limits.tags, Set(wishes.tags).count == wishes.tags.count else {
            throw .invalid(
                "tags of task \(id)",
                wishes.tags.map(\.description).joined(separator: ", "),
                allowed: "at most \(Limits.tags), each once"
            )
        }
        try wishes.dependencies?.validate()
        if let parents = wishes.dependencies?.parents {
            let itself = parents.contains { parent in
                switch parent {
                case .task(let parent): parent == id
                case .tag(let tag): wishes.tags.contains(tag)
                }
            }
            if itself {
                throw .invalid("parent of task \(id)", "itself", allowed: "other tasks, and tags that it has not")
            }
        }
        if let expires = wishes.expires { try check(expires, "time to expiry", "expiry") }
        try wishes.unique?.validate()
    }

    package static func check(_ body: Body, limit: Int, what: String) throws(TrackerError) {
        try Names.checkNote("content type", body.contentType)
        guard body.bytes.count <= limit else {
            throw TrackerError(
                .tooLarge,
                "\(what) has \(body.bytes.count) bytes; allowed: \(limit). Store it elsewhere and enqueue where it is"
            )
        }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys(items.lazy.map(\.id))
        call.append(nonce ?? "")
        call.append(actor)
        call.append(message)
        call.append(kinds.count)
        for kind in kinds {
            call.append(kind.name.description)
            call.append(kind.policy.map(PolicyText.encode) ?? "")
        }
        for item in items {
            var fields: [(String, [UInt8])] = []
            if item.payload.contentType != Body.json { fields.append(("ct", Array(item.payload.contentType.utf8))) }
            if let attempts = item.attempts { fields.append(("l", Array("\(attempts)".utf8))) }
            if !item.trace.isEmpty { fields += TraceText.fields(item.trace) }
            let options = item.wishes.map { Self.options($0, of: item.payload) } ?? []
            let due =
                switch item.due {
                case .now: ""
                case .after(let delay): "+\(delay.microseconds)"
                case .at(let moment): "@\(moment.microseconds)"
                }
            call.append("\(item.kind + 1) \(item.priority) \(fields.count) \(options.count) \(due)")
            call.append(bytes: item.payload.bytes)
            for (name, value) in fields {
                call.append(name)
                call.append(bytes: value)
            }
            for (name, value) in options {
                call.append(name)
                call.append(value)
            }
        }
    }

    private static func options(_ wishes: Wishes, of payload: Body) -> [(String, String)] {
        var options = wishes.tags.map { ("tag", $0.description) }
        if let dependencies = wishes.dependencies {
            options += dependencies.parents.map { ("after", $0.description) }
            options.append(("rule", "\(dependencies.condition.letter)\(dependencies.needed)"))
        }
        switch wishes.expires {
        case .now?: options.append(("expires", "+0"))
        case .after(let delay)?: options.append(("expires", "+\(delay.microseconds)"))
        case .at(let moment)?: options.append(("expires", "@\(moment.microseconds)"))
        case nil: break
        }
        if let unique = wishes.unique {
            let letters = TaskState.allCases.filter(unique.states.contains).map(\.letters).joined()
            let window = unique.window?.microseconds ?? 0
            options.append(("unique", "\(unique.hash(of: payload)) \(letters) \(window) \(unique.later.rawValue)"))
        }
        if wishes.reuse { options.append(("reuse", "1")) }
        return options
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> Response {
        switch reply.word {
        case "OK":
            var response = Response()
            guard reply.elements.count != 2 else { return response }
            for place in try reply.list(2) { response.duplicates.insert(try reply.place(place, of: items.count)) }
            let full = try reply.list(3)
            guard full.count.isMultiple(of: 2) else { throw reply.malformed("a place without a limit") }
            for i in stride(from: 0, to: full.count, by: 2) {
                response.full[try reply.place(full[i], of: items.count)] = try reply.number(full[i + 1])
            }
            let repeated = try reply.list(4)
            guard repeated.count.isMultiple(of: 2) else { throw reply.malformed("a place without a task") }
            for i in stride(from: 0, to: repeated.count, by: 2) {
                let place = try reply.place(repeated[i], of: items.count)
                response.repeated[place] = TaskID(trusted: try reply.text(repeated[i + 1]))
            }
            for place in try reply.list(5) { response.reused.insert(try reply.place(place, of: items.count)) }
            return response
        case "CYCLE":
            let item = items[try reply.place(reply.element(2), of: items.count)]
            throw .cycle(through: try reply.string(3), of: item.id)
        case "UNKNOWN_PARENT":
            let item = items[try reply.place(reply.element(2), of: items.count)]
            throw .unknownParent(try reply.string(3), of: item.id)
        case "UNKNOWN_KIND": throw .unknownKind(try reply.string(2))
        case "FULL": throw .fullOfKinds()
        case "TOO_LARGE":
            let item = items[try reply.place(reply.element(2), of: items.count)]
            throw TrackerError(
                .tooLarge,
                "payload of task “\(item.id)” has \(item.payload.bytes.count) bytes; allowed: \(try reply.int(3))"
            )
        default: throw reply.unexpected()
        }
    }

    /// Each task in its partition. A task and the tasks it waits for must lie in one.
    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> Response {
        for item in items { try check(item, on: tracker) }
        for kind in kinds {
            if let policy = kind.policy { try await tracker.settleOnce(kind.name, offered: policy) }
        }
        let groups = tracker.grouped(items) { $0.id }
        let count = tracker.parts.count
        let answers = try await tracker.each(groups.map(\.partition)) { place, part throws(TrackerError) in
            var verb = self
            verb.items = groups.first { $0.partition == place }?.items ?? []
            verb.kinds = kinds.map { ($0.name, $0.policy?.share(of: place, among: count)) }
            return try await part.perform(verb)
        }
        var sum = Response()
        for (group, answer) in zip(groups, answers) {
            sum.duplicates.formUnion(answer.duplicates.map { group.places[$0] })
            sum.reused.formUnion(answer.reused.map { group.places[$0] })
            for (place, limit) in answer.full { sum.full[group.places[place]] = limit }
            for (place, other) in answer.repeated { sum.repeated[group.places[place]] = other }
        }
        guard !sum.full.isEmpty else { return sum }
        // What the partition told is its share.
        let policies = try await tracker.kinds()
        for place in sum.full.keys {
            let policy = policies.first { $0.name == kinds[items[place].kind].name }?.policy
            if let limit = policy?.queueLimit { sum.full[place] = limit }
        }
        return sum
    }

    private func check(_ item: Item, on tracker: PartitionedBackend) throws(TrackerError) {
        for parent in item.wishes?.dependencies?.parents ?? [] {
            guard case .task(let parent) = parent else { continue }
            let (own, other) = (tracker.partition(of: item.id), tracker.partition(of: parent))
            guard own != other else { continue }
            throw TrackerError(
                .invalidArgument,
                "task “\(item.id)” lies in partition \(own) of the tracker and its parent “\(parent)” in partition \(other); "
                    + "a task and its parents must lie in one: give their ids the same key in braces, as in {order-7}pack "
                    + "and {order-7}ship"
            )
        }
    }
}

/// A trace context as one text: `key=value` lines, at most 256 bytes, `traceparent` first; lines that do not fit are left out.
enum TraceText {
    static func encode(_ trace: [String: String]) -> String {
        var text = ""
        func order(_ key: String) -> String { key == "traceparent" ? "" : key }
        for (key, value) in trace.sorted(by: { order($0.key) < order($1.key) }) {
            let line = "\(key)=\(value)"
            let isWhole = !key.contains("=") && !line.unicodeScalars.contains { $0.isControl }
            guard isWhole, text.utf8.count + line.utf8.count + 1 <= 256 else { continue }
            text += text.isEmpty ? line : "\n" + line
        }
        return text
    }

    /// The text in pieces of 64 bytes, as the fields `tr`, `tr1`, `tr2`, `tr3` of the record, which stays compact so.
    static func fields(_ trace: [String: String]) -> [(String, [UInt8])] {
        let bytes = Array(encode(trace).utf8)
        return stride(from: 0, to: bytes.count, by: 64).map { start in
            (start == 0 ? "tr" : "tr\(start / 64)", Array(bytes[start..<min(start + 64, bytes.count)]))
        }
    }

    static func decode(_ text: String) -> [String: String] {
        var trace: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { trace[String(parts[0])] = String(parts[1]) }
        }
        return trace
    }
}
