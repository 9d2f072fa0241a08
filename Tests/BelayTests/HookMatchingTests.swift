import Testing

@testable import Belay

@Suite("Hooks")
struct HookMatchingTests {
    private static func record(_ payload: String? = nil, result: String? = nil, tags: [TaskTag] = []) -> TaskRecord {
        var record = TaskRecord(id: "a", kind: "k", state: .succeeded, created: Timestamp(microseconds: 0))
        record.payload = payload.map { Body(text: $0) }
        record.result = result.map { Body(text: $0) }
        record.tags = tags
        return record
    }

    private static func refuses(_ rule: HookRule, _ words: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(sourceLocation: sourceLocation) { try rule.validate() } throws: {
            let error = $0 as? TrackerError
            return error?.code == .invalidArgument && error?.message.contains(words) == true
        }
    }

    // MARK: Conditions

    @Test("are about kinds by name, by the begin of names, and by what is left out")
    func kinds() {
        let cases: [([KindPattern], fits: [KindName], not: [KindName])] = [
            ([], ["k", "thumb"], []), (["*"], ["k"], []), (["thumb"], ["thumb"], ["thumbs", "thum", "Thumb"]),
            (["thumb*"], ["thumb", "thumbs", "thumb/x"], ["thum"]), (["a", "b*"], ["a", "b", "bc"], ["ac"]),
            (["!a"], ["b", "aa"], ["a"]), (["!a*", "!b"], ["c"], ["a", "ab", "b"]),
            (["a*", "!ab*"], ["a", "ac"], ["ab", "abc", "b"]), (["!*"], [], ["a"]),
        ]
        for (patterns, fits, not) in cases {
            let condition = HookCondition(kinds: patterns)
            for kind in fits { #expect(condition.matches(.succeeded, of: kind), "\(patterns) \(kind)") }
            for kind in not { #expect(!condition.matches(.succeeded, of: kind), "\(patterns) \(kind)") }
        }
    }

    @Test(
        "know patterns of kinds from other texts",
        arguments: ["", "!", "a**", "*a", "a*b", "!!a", "-a", "a b", "é*", "! *"]
    )
    func badPattern(text: String) {
        #expect(throws: TrackerError.self) { try KindPattern(text) }
    }

    @Test("are about states")
    func states() {
        let ended: [TaskState] = [.succeeded, .exhausted, .cancelled, .ignored]
        for state in ended {
            #expect(HookCondition().matches(state, of: "k"))
            #expect(HookCondition(states: [state]).matches(state, of: "k"))
            #expect(!HookCondition(states: ended.filter { $0 != state }).matches(state, of: "k"))
        }
    }

    @Test("are about tags, any of them")
    func tags() {
        let condition = HookCondition(tags: ["red", "blue"])
        #expect(condition.matches(Self.record(tags: ["green", "blue"])))
        #expect(!condition.matches(Self.record(tags: ["green"])))
        #expect(!condition.matches(Self.record()))
        #expect(!condition.matches(nil))
        #expect(HookCondition().matches(nil))
    }

    @Test("must all hold at once")
    func together() {
        let condition = HookCondition(tags: ["red"], field: HookField(.payload, "/a", equals: .integer(1)))
        #expect(condition.matches(Self.record(#"{"a":1}"#, tags: ["red"])))
        #expect(!condition.matches(Self.record(#"{"a":1}"#)))
        #expect(!condition.matches(Self.record(#"{"a":2}"#, tags: ["red"])))
    }

    // MARK: Fields

    /// The document of RFC 6901, section 5, and what its pointers mean.
    @Test("find places by JSON pointers")
    func pointers() {
        let text =
            #"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8,"é":null}"#
        let record = Self.record(text, result: #"[[1,2.5],"x",true]"#)
        let cases: [(HookField.Source, String, HookValue)] = [
            (.payload, "/foo", .list([.text("bar"), .text("baz")])), (.payload, "/foo/0", .text("bar")),
            (.payload, "/foo/1", .text("baz")), (.payload, "/", .integer(0)), (.payload, "/a~1b", .integer(1)),
            (.payload, "/c%d", .integer(2)), (.payload, "/e^f", .integer(3)), (.payload, "/g|h", .integer(4)),
            (.payload, #"/i\j"#, .integer(5)), (.payload, #"/k"l"#, .integer(6)), (.payload, "/ ", .integer(7)),
            (.payload, "/m~0n", .integer(8)), (.payload, "/é", .null), (.result, "/0/1", .number(2.5)),
            (.result, "/1", .text("x")), (.result, "/2", .bool(true)),
            (.result, "", .list([.list([.integer(1), .number(2.5)]), .text("x"), .bool(true)])),
        ]
        for (source, pointer, value) in cases {
            let condition = HookCondition(field: HookField(source, pointer, equals: value))
            #expect(condition.matches(record), "\(pointer)")
            let other = HookCondition(field: HookField(source, pointer, equals: .text("another")))
            #expect(!other.matches(record), "\(pointer)")
        }
        for pointer in [
            "/foo/2", "/foo/00", "/foo/-", "/foo/-1", "/foo/+1", "/foo/bar", "/none", "/foo/0/x", "//", "/a/b",
            "/m~01n",
        ] {
            #expect(
                HookValue.at(HookField(.payload, pointer, equals: .null).steps!, of: Array(text.utf8)) == nil,
                "\(pointer)"
            )
        }
    }

    @Test("compare numbers by value, objects in any order, and nothing with what is no JSON")
    func values() throws {
        func holds(_ payload: String?, _ value: String) throws -> Bool {
            let value = try #require(HookValue(json: Array(value.utf8)))
            return HookCondition(field: HookField(.payload, "/a", equals: value)).matches(Self.record(payload))
        }
        #expect(try holds(#"{"a":1}"#, "1.0"))
        #expect(try holds(#"{"a":1e2}"#, "100"))
        #expect(try holds(#"{"a":9007199254740993}"#, "9007199254740993"))
        #expect(try !holds(#"{"a":9007199254740993}"#, "9007199254740992"))
        #expect(try holds(#"{"a":{"x":1,"y":[null]}}"#, #"{"y":[null],"x":1}"#))
        #expect(try !holds(#"{"a":true}"#, "1"))
        #expect(try !holds(#"{"a":"1"}"#, "1"))
        #expect(try !holds(#"{"b":null}"#, "null"))
        for payload in ["", "{", "text", #"{"a":1} x"#, nil] {
            #expect(try !holds(payload, "1"), "\(payload ?? "nil")")
        }
    }

    @Test("are read from text")
    func fieldText() throws {
        #expect(
            try HookField(#"payload:/priority = "high""#) == HookField(.payload, "/priority", equals: .text("high"))
        )
        #expect(
            try HookField("result:/a=b=[1, 2]")
                == HookField(.result, "/a=b", equals: .list([.integer(1), .integer(2)]))
        )
        #expect(try HookField("payload:=null") == HookField(.payload, "", equals: .null))
        for text in [
            "", "payload", "payload:/a", "payload:/a=", "payload:/a=high", "data:/a=1", "payload:a=1", "payload:/a~2=1",
            "payload:/a~=1",
        ] {
            #expect(throws: TrackerError.self, "\(text)") { try HookField(text) }
        }
    }

    // MARK: Ends

    @Test("are set off by every event that ends a task, and by no other")
    func ends() {
        func end(_ name: TrackerEvent.Name, _ detail: String = "") -> TaskState? {
            let position = TrackerEvent.Position(entry: "1-0", place: 0)
            return TrackerEvent(position: position, name: name, time: Timestamp(microseconds: 0), detail: detail)
                .endState
        }
        #expect(end(.succeeded) == .succeeded)
        #expect(end(.exhausted) == .exhausted)
        #expect([.cancelled, .expired, .deduplicated, .parentFailed].allSatisfy { end($0, "s") == .cancelled })
        #expect(end(.ignored, "x") == .ignored)
        #expect(["x", "n", "c"].map { end(.reaped, $0) } == [.exhausted, .ignored, .cancelled])
        for detail in ["q", "p", "", "??"] { #expect(end(.reaped, detail) == nil) }
        for name: TrackerEvent.Name in [
            .enqueued, .claimed, .retrying, .cancelRequested, .purged, .deleted, .requeued, .superseded,
        ] {
            #expect(end(name, "s") == nil, "\(name)")
        }
    }

    // MARK: Rules

    @Test("put what ended into their payload, escaped where it is JSON")
    func templates() {
        let id = TaskID(trusted: #"a"b\{{kind}}"#)
        func text(_ task: HookTask) -> String? { task.body(id: id, kind: "k", state: .ignored)?.text }
        #expect(
            text(HookTask("n", payload: #"{"x":"{{id}} {{kind}} {{state}}","{{id}}":1}"#))
                == #"{"x":"a\"b\\{{kind}} k ignored","a\"b\\{{kind}}":1}"#
        )
        #expect(
            text(HookTask("n", payload: "{{id}}{{{id}}{{x}}", contentType: "text/plain"))
                == #"a"b\{{kind}}{a"b\{{kind}}{{x}}"#
        )
        #expect(text(HookTask("n", payload: "")) == "")
        #expect(text(HookTask("n")) == nil)
    }

    @Test("are refused when they would set themselves off, or are out of range")
    func invalid() throws {
        let task = HookAction.enqueue(HookTask("n"))
        try HookRule("a", when: HookCondition(kinds: ["!n"]), action: task).validate()
        try HookRule("a", when: HookCondition(kinds: ["m*"]), action: task).validate()
        Self.refuses(HookRule("a", action: task), "leave it out with the kind pattern !n")
        Self.refuses(HookRule("a", when: HookCondition(kinds: ["n*"]), action: task), "!n")
        let some = HookCondition(kinds: ["m"])
        Self.refuses(HookRule("a", when: some, action: .enqueue(HookTask(Webhook.kind))), "for a webhook say webhook")
        Self.refuses(HookRule("a", when: some, action: .enqueue(HookTask("n", payload: "{{id}}"))), "JSON, or another")
        try HookRule("a", when: some, action: .enqueue(HookTask("n", payload: "{{id}}", contentType: "text/plain")))
            .validate()
        let long = HookTask("n", payload: String(repeating: "x", count: Limits.hookBytes), contentType: "text/plain")
        Self.refuses(HookRule("a", when: some, action: .enqueue(long)), "as JSON")
        for name in ["", "a b", "-a", String(repeating: "a", count: 65)] {
            Self.refuses(HookRule(name, when: some, action: task), "name of a hook")
        }
        Self.refuses(
            HookRule("a", when: HookCondition(states: [.paused], kinds: ["m"]), action: task),
            "succeeded, exhausted"
        )
        let field = HookField(.payload, "a", equals: .null)
        Self.refuses(HookRule("a", when: HookCondition(kinds: ["m"], field: field), action: task), "JSON pointer")
        let many = Array(repeating: KindPattern("m"), count: 101)
        Self.refuses(HookRule("a", when: HookCondition(kinds: many), action: task), "at most 100")
    }

    @Test("send webhooks only to addresses and with headers that can be sent")
    func webhooks() throws {
        func rule(_ webhook: Webhook) -> HookRule { HookRule("a", action: .webhook(webhook)) }
        for url in ["http://host", "https://h.example:8443/a/b?c=d", "http://127.0.0.1:1/", "http://[::1]:8/x"] {
            try rule(Webhook(url: url, secret: "s", headers: ["Authorization": "Bearer x", "X-A": ""])).validate()
        }
        for url in [
            "", "host", "ftp://host/", "http://", "http:///a", "https://user:pw@host/", "http://h/a b", "http://h/#x",
            "http://h/\u{e9}", "http://" + String(repeating: "h", count: 2048), "http://h:x/", "http://h\n/",
        ] {
            Self.refuses(rule(Webhook(url: url)), "address of a webhook")
        }
        for secret in ["", "a\n", String(repeating: "s", count: 257)] {
            Self.refuses(rule(Webhook(url: "http://h", secret: secret)), "secret of bytes “\(secret.utf8.count)”")
        }
        for name in ["", "Host", "content-length", "Content-Type", "X-Belay-Event", "a b", "a:", "é"] {
            Self.refuses(rule(Webhook(url: "http://h", headers: [name: "x"])), "header")
        }
        Self.refuses(rule(Webhook(url: "http://h", headers: ["X-A": "a\r\nB: c"])), "value of header X-A")
        let many = Dictionary(uniqueKeysWithValues: (0...20).map { ("X-\($0)", "") })
        Self.refuses(rule(Webhook(url: "http://h", headers: many)), "number of headers")
    }

    @Test("are JSON as they are stored, and the same when they are read")
    func stored() throws {
        let rule = HookRule(
            "a",
            when: HookCondition(
                states: [.exhausted],
                kinds: ["a*", "!ab"],
                tags: ["t"],
                field: HookField(.payload, "/x", equals: .text("é"))
            ),
            action: .enqueue(HookTask("n", payload: "{}"))
        )
        let text = try rule.text()
        #expect(
            text
                == #"{"condition":{"field":{"equals":"é","in":"payload","pointer":"/x"},"kinds":["a*","!ab"],"states":["exhausted"],"tags":["t"]},"enqueue":{"contentType":"application/json","kind":"n","payload":"{}"}}"#
        )
        #expect(try HookRule(name: "a", text: Array(text.utf8)) == rule)
    }
}
