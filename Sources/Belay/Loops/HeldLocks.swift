/// The locks of a holder, and when something is to be done for them.
///
/// Each chore has a loop, which goes through all locks when the earliest is due, and sleeps in between. A lock that is added
/// wakes it only when it is due before the loop would look again: most are due later than those that were there before.
struct HeldLocks {
    typealias Instant = ContinuousClock.Instant

    /// What is done for held locks.
    enum Chore: Int, CaseIterable {
        /// They are renewed.
        case renew
        /// Work is stopped whose lock cannot be counted on any more.
        case watch
        /// Work is asked to stop whose soft limit is over.
        case limit
    }

    struct Lock {
        let context: ClaimContext
        var renewal: Instant
        var deadline: Instant
        /// When the work is to be asked to stop; nil when it is not, or was.
        var softLimit: Instant?

        fileprivate func time(of chore: Chore) -> Instant? {
            switch chore {
            case .renew: renewal
            case .watch: deadline
            case .limit: softLimit
            }
        }
    }

    private var locks: [TaskID: Lock] = [:]
    /// When each chore's loop looks again; nil when only a lock that comes can wake it.
    private var alarms = [Instant?](repeating: nil, count: Chore.allCases.count)

    /// The work under all locks.
    var contexts: [ClaimContext] { locks.values.map(\.context) }

    /// Holds a lock.
    /// - Returns: The chores whose loops must be woken.
    mutating func add(_ lock: Lock) -> Set<Chore> {
        locks[lock.context.claim.id] = lock
        return early(lock)
    }

    /// Changes when something is due for a lock, if it is held.
    /// - Returns: The chores whose loops must be woken.
    mutating func change(_ id: TaskID, _ body: (inout Lock) -> Void) -> Set<Chore> {
        guard var lock = locks[id] else { return [] }
        body(&lock)
        locks[id] = lock
        return early(lock)
    }

    /// Holds a lock no more; answers whether it was held.
    mutating func remove(_ id: TaskID) -> Bool { locks.removeValue(forKey: id) != nil }

    mutating func removeAll() { locks.removeAll() }

    /// All are to be renewed now.
    mutating func hurry() { for id in locks.keys { locks[id]?.renewal = .now } }

    /// When a chore's loop is to look again, which it must do then.
    mutating func plan(_ chore: Chore) -> Instant? {
        let next = locks.values.lazy.compactMap { $0.time(of: chore) }.min()
        alarms[chore.rawValue] = next
        return next
    }

    /// The work for whose locks a chore is due, or will be within a share of its lease.
    func due(_ chore: Chore, at now: Instant, aheadBy share: Double = 0) -> [ClaimContext] {
        locks.values.filter { lock in
            lock.time(of: chore).map { $0 <= now + lock.context.claim.lease * share } ?? false
        }
        .map(\.context)
    }

    /// The chores that are due for a lock before their loops look again.
    private func early(_ lock: Lock) -> Set<Chore> {
        var chores: Set<Chore> = []
        for chore in Chore.allCases {
            guard let time = lock.time(of: chore) else { continue }
            if alarms[chore.rawValue].map({ time < $0 }) ?? true { chores.insert(chore) }
        }
        return chores
    }
}
