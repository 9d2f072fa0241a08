package import Belay

/// One thing that keeps a task from running, or that ended it: a word, its numbers, and a line for people.
package struct ReasonJSON: Documented, Encodable {
    var reason: Word
    var text: String
    var at: Timestamp?
    var delay: Seconds?
    var attempt: Int?
    var attempts: Int?
    var failure: FailureJSON?
    var kind: KindName?
    var since: Timestamp?
    var by: String?
    var message: String?
    var tasks: Int?
    var endedLastMinute: Int?
    var lastLeft: Timestamp?
    var workers: Int?
    var worker: String?
    var until: Timestamp?
    var renewals: Int?
    var parents: [ParentJSON]?
    var needed: Int?
    var unfinished: Int?
    var of: TaskID?
    var parent: ParentNameJSON?

    enum Word: String, Words, Encodable, CaseIterable {
        case notDue, retrying, kindPaused, behind, noWorker, imminent, running, leaseOver, asked, paused
        case succeeded, exhausted, cancelled, ignored, awaiting, expires, expired, deduplicated, parentFailed
    }

    static let docs = [
        "reason": "The sort.", "text": "For people, one line.",
        "at": "`notDue`: its due time. `expires`: when it is no longer started. `asked` and the ends: when.",
        "delay": "`notDue`, `expires`: how long from now; below 0 when that has passed.",
        "attempt": "`retrying`: which attempt it waits for.",
        "attempts": "`retrying`: of at most so many. `exhausted`: how many there were.",
        "failure": "`retrying`, `exhausted`: its last error.",
        "kind": "`kindPaused`: the kind; absent when the whole tracker is.",
        "since": "`kindPaused`, `paused`, `leaseOver`: since when.", "by": "`kindPaused`: who paused it.",
        "message": "`kindPaused`, `asked`, `cancelled`: why.",
        "tasks": "`behind`: how many of its kind are claimed before it.",
        "endedLastMinute": "`behind`: how many of its kind ended well in the last minute.",
        "lastLeft": "`noWorker`: when the last one left or fell silent; absent when there never was one.",
        "workers": "`imminent`: how many live workers take its kind.",
        "worker": "`running`, `leaseOver`, `paused` by its holder: who.", "until": "`running`: the end of the lease.",
        "renewals": "`running`: how often the lock was renewed.",
        "parents": "`awaiting`: the first ten of its parents that have not ended.",
        "needed": "`awaiting`: how many more ends it needs.",
        "unfinished": "`awaiting`: how many of its parents have not ended.",
        "of": "`deduplicated`: the task that has the same content.",
        "parent": "`parentFailed`: the parent that was the last straw.",
    ]

    private init(_ reason: Word, _ text: String) { (self.reason, self.text) = (reason, text) }

    package init(_ reason: Explanation.Reason) {
        let text = reason.description
        switch reason {
        case .notDue(let due, let time):
            self.init(.notDue, text)
            (at, delay) = (due, Seconds(time))
        case .retrying(let number, let limit, let error):
            self.init(.retrying, text)
            (attempt, attempts, failure) = (number, limit, error.map(FailureJSON.init))
        case .kindPaused(let name, let began, let actor, let why):
            self.init(.kindPaused, text)
            (kind, since, by, message) = (name, began, actor, why)
        case .behind(let count, let rate):
            self.init(.behind, text)
            (tasks, endedLastMinute) = (count, rate)
        case .noWorker(let left):
            self.init(.noWorker, text)
            lastLeft = left
        case .imminent(let count):
            self.init(.imminent, text)
            workers = count
        case .awaiting(let open, let count, let rest):
            self.init(.awaiting, text)
            (parents, needed, unfinished) = (open.map(ParentJSON.init), count, rest)
        case .expires(let end, let time):
            self.init(.expires, text)
            (at, delay) = (end, Seconds(time))
        case .expired(let end):
            self.init(.expired, text)
            at = end
        case .deduplicated(let end, let other):
            self.init(.deduplicated, text)
            (at, of) = (end, other)
        case .parentFailed(let end, let name):
            self.init(.parentFailed, text)
            (at, parent) = (end, ParentNameJSON(name))
        case .running(let name, let end, let count):
            self.init(.running, text)
            (worker, until, renewals) = (name, end, count)
        case .leaseOver(let name, let end):
            self.init(.leaseOver, text)
            (worker, since) = (name, end)
        case .asked(let time, let why):
            self.init(.asked, text)
            (at, message) = (time, why)
        case .paused(let began, let name):
            self.init(.paused, text)
            (since, worker) = (began, name)
        case .succeeded(let end):
            self.init(.succeeded, text)
            at = end
        case .exhausted(let end, let count, let error):
            self.init(.exhausted, text)
            (at, attempts, failure) = (end, count, error.map(FailureJSON.init))
        case .cancelled(let end, let why):
            self.init(.cancelled, text)
            (at, message) = (end, why)
        case .ignored(let end):
            self.init(.ignored, text)
            at = end
        }
    }
}
