/// Every key name of a tracker partition, in one place. `lua/README.md` tells what lies under each.
///
/// All keys begin with the same hash tag, so that Redis Cluster keeps a partition on one node and every script stays on it.
package struct Keyspace: Sendable, Hashable {
    package let prefix: String

    package init(namespace: String, partition: Int = 0) { prefix = "{\(namespace):\(partition)}:" }

    /// hash: schema, clock, limits, and the kinds' policies
    package var header: String { prefix + "meta" }
    /// never exists: named in every call, so that Redis Cluster runs no script in a slot that is being moved (`lua/README.md`)
    package var guardKey: String { prefix + "!" }
    /// stream: one entry per script and event
    package var events: String { prefix + "events" }
    /// hash: a task's record
    package func record(_ id: TaskID) -> String { prefix + "t:" + id.description }
    /// channel: wakes one idle worker, or tells it that a task was cancelled
    package func wakeChannel(_ worker: WorkerName) -> String { prefix + "wake:" + worker.description }
}
