import RedisWire
import Testing

@testable import Belay

@Suite("An event of Celery")
struct CeleryEventTests {
    private static func event(_ json: String) throws(TrackerError) -> CeleryEvent {
        try CeleryEvent(json: Array(json.utf8))
    }

    @Test("of a task is read with its fields as text and what else it tells as JSON")
    func task() throws {
        let event = try Self.event(
            #"""
            {"type":"task-received","uuid":"u1","hostname":"celery@h","timestamp":1767225600.000250,"clock":42,"utcoffset":-1,
            "local_received":1767225601,"pid":7,"name":"app.add","args":"(2, 3)","kwargs":{"b":[1,true]},"retries":0,"eta":null,
            "root_id":"r","parent_id":"p","progress":{"done":1},"more":5}
            """#
        )
        #expect(event.type == "task-received")
        #expect(event.uuid == "u1")
        #expect(event.hostname == "celery@h")
        #expect(event.timestamp == Timestamp(microseconds: 1_767_225_600_000_250))
        #expect(event.localReceived == Timestamp(microseconds: 1_767_225_601_000_000))
        #expect(event.clock == 42)
        #expect(event.state == .received)
        #expect(
            event.fields == [
                "pid": "7", "name": "app.add", "args": "(2, 3)", "kwargs": #"{"b":[1,true]}"#, "retries": "0",
                "root_id": "r", "parent_id": "p", "more": #"{"more":5,"progress":{"done":1}}"#,
            ]
        )
    }

    @Test("of a worker is read with its numbers")
    func worker() throws {
        let event = try Self.event(
            #"""
            {"type":"worker-heartbeat","hostname":"celery@h","timestamp":1,"freq":2.5,"sw_ident":"py-celery","sw_ver":"5.4.0",
            "sw_sys":"Linux","active":3,"processed":1000,"loadavg":[1,2,3],"uuid":"x"}
            """#
        )
        #expect(event.uuid == nil)
        #expect(event.state == nil)
        #expect(event.clock == 0)
        #expect(event.interval == .milliseconds(2500))
        #expect(
            event.fields == [
                "freq": "2.5", "sw_ident": "py-celery", "sw_ver": "5.4.0", "sw_sys": "Linux", "active": "3",
                "processed": "1000",
            ]
        )
        #expect(try Self.event(#"{"type":"worker-odd","hostname":"h","timestamp":1}"#).type == "worker-odd")
    }

    @Test(
        "stands for the state of its sort",
        arguments: zip(
            [
                "sent", "received", "started", "succeeded", "failed", "retried", "revoked", "rejected", "progress",
                "my_State",
            ],
            [
                ForeignState.pending, .received, .started, .success, .failure, .retry, .revoked, .rejected,
                .custom("PROGRESS"), .custom("MY_STATE"),
            ]
        )
    )
    func states(word: String, state: ForeignState) throws {
        let event = try CeleryEvent(type: "task-\(word)", uuid: "u", timestamp: Timestamp(microseconds: 1))
        #expect(event.state == state)
        #expect(ForeignState(name: state.name) == state)
        // Celery's own count: a task to be retried is neither active nor ready.
        #expect(state.isActive == ["sent", "received", "started"].contains(word))
        #expect(state.isReady == ["succeeded", "failed", "revoked"].contains(word))
    }

    @Test(
        "that is wrong is refused, naming the field and the value",
        arguments: [
            ("{", ["event “{”", "JSON"]), ("", ["event", "JSON"]), ("[]", ["event “[]”", "a JSON object"]),
            ("5", ["event “5”", "a JSON object"]), (#"{"type":"task-sent","uuid":"u"}"#, ["timestamp", "missing"]),
            (#"{"type":"task-sent","uuid":"u","timestamp":"soon"}"#, ["timestamp “\"soon\"”", "a number"]),
            (#"{"type":"task-sent","uuid":"u","timestamp":-1}"#, ["timestamp “-1.0”", "1970"]),
            (#"{"type":"task-sent","uuid":"u","timestamp":1e300}"#, ["timestamp “1e+300”", "2255"]),
            (#"{"type":"task-sent","uuid":"u","timestamp":true}"#, ["timestamp “true”"]),
            (#"{"timestamp":1,"uuid":"u"}"#, ["type", "missing"]),
            (#"{"timestamp":1,"type":7}"#, ["type “7”", "text"]),
            (#"{"timestamp":1,"type":"job-sent","uuid":"u"}"#, ["type “job-sent”", "task-… or worker-…"]),
            (#"{"timestamp":1,"type":"task-","uuid":"u"}"#, ["type “task-”"]),
            (#"{"timestamp":1,"type":"task-a b","uuid":"u"}"#, ["type “task-a b”"]),
            (#"{"timestamp":1,"type":"task-sent"}"#, ["uuid", "missing"]),
            (#"{"timestamp":1,"type":"task-sent","uuid":null}"#, ["uuid", "missing"]),
            (#"{"timestamp":1,"type":"task-sent","uuid":5}"#, ["uuid “5”", "text"]),
            (#"{"timestamp":1,"type":"task-sent","uuid":""}"#, ["uuid “”", "1 to 256 bytes"]),
            (#"{"timestamp":1,"type":"task-sent","uuid":"a\nb"}"#, [#"uuid “a\u{a}b”"#]),
            (#"{"timestamp":1,"type":"task-sent","uuid":"u","hostname":[]}"#, ["hostname “[]”", "text"]),
            (#"{"timestamp":1,"type":"task-sent","uuid":"u","hostname":""}"#, ["hostname “”"]),
            (#"{"timestamp":1,"type":"task-sent","uuid":"u","clock":1.5}"#, ["clock “1.5”", "a whole number"]),
            (#"{"timestamp":1,"type":"task-sent","uuid":"u","clock":-1}"#, ["clock “-1”"]),
            (#"{"timestamp":1,"type":"task-sent","uuid":"u","local_received":"x"}"#, ["local_received"]),
            (#"{"timestamp":1,"type":"task-sent","uuid":"u","parent_id":""}"#, ["parent_id “”"]),
            (#"{"timestamp":1,"type":"worker-online"}"#, ["hostname", "1 to 256 bytes"]),
            (#"{"timestamp":1,"type":"worker-online","hostname":"h","freq":0}"#, ["freq “0”", "0.001 to 86400"]),
            (#"{"timestamp":1,"type":"worker-online","hostname":"h","freq":"often"}"#, ["freq “often”"]),
            (#"{"timestamp":1,"type":"worker-online","hostname":"h","active":-1}"#, ["active “-1”"]),
            (#"{"timestamp":1,"type":"worker-online","hostname":"h","processed":1.5}"#, ["processed “1.5”"]),
        ] as [(String, [String])]
    )
    func refused(json: String, names: [String]) {
        do throws(TrackerError) {
            let event = try Self.event(json)
            Issue.record("\(json) was read as \(event)")
        } catch {
            #expect(error.code == .invalidArgument)
            for name in names { #expect(error.message.contains(name), "\(error.message)") }
        }
    }

    @Test("made of parts takes only fields that Celery has")
    func parts() {
        let moment = Timestamp(microseconds: 1)
        for (type, fields) in [("task-sent", ["freq": "1"]), ("worker-online", ["name": "x"])] {
            #expect(throws: TrackerError.self) {
                try CeleryEvent(
                    type: type,
                    uuid: type == "task-sent" ? "u" : nil,
                    hostname: "h",
                    timestamp: moment,
                    fields: fields
                )
            }
        }
        #expect(throws: TrackerError.self) {
            try CeleryEvent(type: "worker-online", uuid: "u", hostname: "h", timestamp: moment)
        }
    }

    @Test("cuts long text, and says so")
    func long() throws {
        let text = String(repeating: "ä", count: 5000)
        for (name, limit) in [
            ("args", 1024), ("kwargs", 1024), ("result", 1024), ("exception", 1024), ("traceback", 4096), ("name", 256),
            ("queue", 256),
        ] {
            let event = try Self.event(
                "{\"type\":\"task-failed\",\"uuid\":\"u\",\"timestamp\":1,\"\(name)\":\"\(text)\"}"
            )
            let kept = try #require(event.fields[name])
            #expect(kept.utf8.count <= limit && kept.utf8.count > limit - 4 && kept.hasSuffix("…"), "\(name)")
        }
        let odd = try Self.event("{\"type\":\"task-failed\",\"uuid\":\"u\",\"timestamp\":1,\"odd\":\"\(text)\"}")
        #expect(odd.fields["more"]?.utf8.count ?? 0 <= 1024)
    }

    @Test("in a text of many is one of an array or a line, and a wrong one is named by its number")
    func many() throws {
        let one = #"{"type":"task-sent","uuid":"u","timestamp":1}"#
        let worker = #"{"type":"worker-online","hostname":"h","timestamp":1}"#
        for text in [
            "[\(one),\(worker)]", " \n[\(one),\n\(worker)]\n", "\(one)\n\n  \r\n\(worker)", "\(one)\n\(worker)\n",
        ] {
            #expect(try CeleryEvent.events(json: Array(text.utf8)).map(\.type) == ["task-sent", "worker-online"])
        }
        #expect(try CeleryEvent.events(json: Array(" \n".utf8)).isEmpty)
        #expect(try CeleryEvent.events(json: Array("[]".utf8)).isEmpty)
        for (text, place) in [("[\(one),5]", "event 2: "), ("\(one)\n\n{}", "line 3: "), ("[\(one)", "JSON")] {
            #expect {
                try CeleryEvent.events(json: Array(text.utf8))
            } throws: {
                ($0 as? TrackerError)?.message.contains(place) == true
            }
        }
    }
}
