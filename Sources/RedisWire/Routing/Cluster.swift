import Logging
import NIOCore
import Synchronization

/// The nodes of a Redis Cluster: performs what `ClusterState` decides.
///
/// Each primary has one shared connection, opened by its first call. A node that no longer owns a slot is closed after
/// the replies in flight; calls that still waited to be written there go to the new owner.
final class Cluster: Sendable {
    typealias Endpoint = RedisConfiguration.Endpoint
    typealias Waiter = CheckedContinuation<RedisError?, Never>

    private struct State {
        var decisions = ClusterState<Waiter>()
        var nodes: [Endpoint: Node] = [:]
        /// Subscriptions that stay with the owner of a key's slot.
        var followers: [ObjectIdentifier: Follower] = [:]
        var isFollowing = false
    }

    private struct Follower {
        let key: String
        let link: SubscriptionLink
    }

    /// A call goes to another node at most this many times before it pauses.
    static let redirectionLimit = 5
    /// Between two looks whether a subscription's slot has moved.
    private static let followingPause = Duration.seconds(1)

    private let configuration: RedisConfiguration
    private let eventLoopGroup: any EventLoopGroup
    /// Keeps the timers.
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let state = Mutex(State())
    private let lastID = Atomic<UInt64>(0)
    /// Connections that ask for the map and are closed again.
    private let questions = OpenConnections()

    init(configuration: RedisConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger) {
        self.configuration = configuration
        self.eventLoopGroup = eventLoopGroup
        eventLoop = eventLoopGroup.next()
        self.logger = logger
    }

    /// All nodes that are in use.
    var nodes: [Node] { state.withLock { Array($0.nodes.values) } }

    /// Of some keys the first of each node that is known to own one.
    func oneKeyPerNode(among keys: [String]) -> [String] {
        let map = state.withLock { $0.decisions.map }
        var seen: Set<Endpoint> = []
        return keys.filter { key in map[HashSlot(key: key)].map { seen.insert($0).inserted } ?? false }
    }

    /// Ends everything; does not wait.
    func shutDown(_ reason: RedisError) {
        let (actions, nodes) = state.withLock { state in
            state.followers.removeAll()
            return (state.decisions.shutDown(reason), Array(state.nodes.values))
        }
        questions.shutDownAll()
        for node in nodes { node.shared.shutDown(reason) }
        perform(actions)
    }

    // MARK: Calls

    /// Makes one try of a call at the owner of a slot, and at the nodes that it is sent to from there.
    ///
    /// - Parameters:
    ///   - slot: The slot; `nil` means any node.
    ///   - end: How long to wait for the first slot map.
    ///   - call: Asks one node; `isAsking` means that each command must be preceded by `ASKING`.
    func perform(
        on slot: HashSlot?,
        before end: NIODeadline,
        _ call: (_ node: Node, _ isAsking: Bool) async throws(RedisError) -> RedisReply
    ) async throws(RedisError) -> RedisReply {
        var node = try await owner(of: slot, before: end)
        var isAsking = false
        var redirections = 0
        while true {
            do throws(RedisError) {
                return try await call(node, isAsking)
            } catch {
                let next = learn(from: error, of: node, slot)
                guard let next, redirections < Self.redirectionLimit else { throw error }
                redirections += 1
                (node, isAsking) = next
            }
        }
    }

    /// The owner of a key's slot, as its node confirms now.
    func locate(_ key: String, before end: NIODeadline) async throws(RedisError) -> Node {
        let slot = HashSlot(key: key)
        let probe = Self.probe(key)
        let timeout = TimeAmount(rounding: configuration.commandTimeout)
        _ = try await perform(on: slot, before: end) { node, isAsking throws(RedisError) in
            try await node.shared.send(probe, asking: isAsking, timeout: min(timeout, end - .now()))
                .value(of: probe, endpoint: node.name)
        }
        return try await owner(of: slot, before: end)
    }

    /// Does nothing, but only where the key belongs, and needs no right beyond that to run scripts.
    private static func probe(_ key: String) -> RedisCommand {
        var arguments = RedisArguments()
        arguments.append(key)
        return RedisCommand(head: .script(probeScript, keyCount: 1, bySource: true), arguments: arguments)
    }

    private static let probeScript = RedisScript(name: "locate", source: "return 1")

    /// The node to ask, once a map is known.
    private func owner(of slot: HashSlot?, before end: NIODeadline) async throws(RedisError) -> Node {
        while true {
            let (node, ending) = state.withLock { state in
                (knownOwner(of: slot, &state), state.decisions.ending)
            }
            if let ending { throw ending }
            if let node { return node }
            try await waitForMap(before: end)
        }
    }

    /// A slot without an owner is asked of any node, whose answer is the truth. Without a slot, one that is connected.
    private func knownOwner(of slot: HashSlot?, _ state: inout State) -> Node? {
        let map = state.decisions.map
        guard state.decisions.ending == nil, let first = map.owners.first else { return nil }
        if let slot { return node(at: map[slot] ?? first, &state) }
        let connected = map.owners.first { state.nodes[$0]?.shared.isConnected == true }
        return node(at: connected ?? first, &state)
    }

    private func node(at endpoint: Endpoint, _ state: inout State) -> Node {
        if let node = state.nodes[endpoint] { return node }
        let node = Node(
            configuration: configuration.forNode(at: endpoint),
            eventLoop: eventLoopGroup.next(),
            eventLoopGroup: eventLoopGroup,
            logger: logger,
            onLoss: { [weak self] in self?.nodeFailed(endpoint) }
        )
        state.nodes[endpoint] = node
        return node
    }

    private func waitForMap(before end: NIODeadline) async throws(RedisError) {
        let id = lastID.wrappingAdd(1, ordering: .relaxed).newValue
        let isShielded = RedisClient.ignoresCancellation
        let failure = await withTaskCancellationHandler {
            await withCheckedContinuation { (waiter: Waiter) in
                let isCancelled = Task.isCancelled && !isShielded
                perform(
                    state.withLock { $0.decisions.wait(id: id, waiter, isCancelled: isCancelled, now: .now()) }
                )
                eventLoop.scheduleTask(deadline: end) { [weak self] in
                    guard let self else { return }
                    perform(state.withLock { $0.decisions.expire(id: id) })
                }
            }
        } onCancel: {
            if !isShielded { perform(state.withLock { $0.decisions.cancel(id: id) }) }
        }
        if let failure { throw failure }
    }

    /// What a failure says about the cluster, and where the same call goes at once, if anywhere.
    private func learn(from error: RedisError, of node: Node, _ slot: HashSlot?) -> (Node, isAsking: Bool)? {
        guard let serverError = error.serverError else {
            if error.code == .connectionClosed, error.outcome == .notSent, let owner = successor(of: node, for: slot) {
                return (owner, false)
            }
            if [.connectionFailed, .connectionClosed, .timedOut].contains(error.code) { nodeFailed(node.endpoint) }
            return nil
        }
        guard let redirection = Redirection(serverError, asked: node.endpoint) else {
            if ["CLUSTERDOWN", "MASTERDOWN", "MOVED", "READONLY"].contains(serverError.reason) {
                nodeFailed(node.endpoint)
            }
            return nil
        }
        let (next, actions) = state.withLock { state in
            guard state.decisions.ending == nil else { return (nil as Node?, ClusterState<Waiter>.Actions()) }
            var actions = ClusterState<Waiter>.Actions()
            if redirection.kind == .moved {
                actions = state.decisions.moved(redirection.slot, to: redirection.endpoint, now: .now())
            }
            return (self.node(at: redirection.endpoint, &state), actions)
        }
        perform(actions)
        return next.map { ($0, redirection.kind == .ask) }
    }

    /// Who is to be asked in place of a node that has been closed because it owns nothing any more.
    private func successor(of node: Node, for slot: HashSlot?) -> Node? {
        state.withLock { state in
            state.nodes[node.endpoint] === node ? nil : knownOwner(of: slot, &state)
        }
    }

    private func nodeFailed(_ endpoint: Endpoint) {
        perform(state.withLock { $0.decisions.failed(endpoint, now: .now()) })
    }

    private func perform(_ actions: ClusterState<Waiter>.Actions) {
        for (waiter, error) in actions.resumed {
            waiter.resume(returning: error)
        }
        if actions.hasNewMap {
            for follower in state.withLock({ Array($0.followers.values) }) { follower.link.reroute() }
        }
        if let time = actions.timer {
            eventLoop.scheduleTask(deadline: time) { [weak self] in
                guard let self else { return }
                perform(state.withLock { $0.decisions.refreshDue(now: .now()) })
            }
        }
        if actions.refresh {
            // Unstructured: all calls need the answer, and none of them may take it along when it is cancelled. Ends by
            // itself, because each question has a time-out.
            Task { await self.refresh() }
        }
    }
}

// MARK: - The map

extension Cluster {
    private func refresh() async {
        let turn = Int.random(in: 0..<HashSlot.count)
        let candidates = state.withLock { $0.decisions.candidates(seeds: configuration.seeds, turn: turn) }
        var failure: RedisError?
        for candidate in candidates {
            do throws(RedisError) {
                use(try await askForMap(candidate))
                return
            } catch {
                logger.debug("slot map not told", metadata: ["error": "\(error)"])
                // What the user must mend is told rather than that others cannot be reached.
                if failure?.isRetriable != false { failure = error }
            }
        }
        if let failure { perform(state.withLock { $0.decisions.refreshFailed(failure, now: .now()) }) }
    }

    /// Takes a new map over, and closes the nodes that own nothing any more.
    private func use(_ map: SlotMap) {
        let (actions, left) = state.withLock { state in
            let actions = state.decisions.refreshed(map, now: .now())
            guard state.decisions.ending == nil else { return (actions, [Node]()) }
            let owners = Set(map.owners)
            let left = state.nodes.filter { !owners.contains($0.key) }
            for endpoint in left.keys { state.nodes[endpoint] = nil }
            return (actions, Array(left.values))
        }
        logger.debug("slot map", metadata: ["nodes": "\(map.owners)"])
        // New connections first: a call that fails here finds the new map.
        perform(actions)
        for node in left {
            node.shared.shutDown(
                RedisError(
                    code: .connectionClosed,
                    outcome: .notSent,
                    message: "the node owns no slots any more",
                    endpoint: node.name
                )
            )
        }
    }

    /// Asks by the shared connection if that is open; by one of its own otherwise, which fails at once with the address.
    private func askForMap(_ endpoint: Endpoint) async throws(RedisError) -> SlotMap {
        let known = state.withLock { $0.nodes[endpoint]?.shared }
        let question = RedisCommand("CLUSTER", "SLOTS")
        let timeout = TimeAmount(rounding: min(configuration.connectTimeout, configuration.commandTimeout))
        let result: Result<RedisReply, RedisError>
        if let known, known.isConnected {
            result = await known.send(question, timeout: timeout)
        } else {
            let connector = Connector(configuration: configuration.forNode(at: endpoint))
            let link = Link(kind: .single, connector: connector, eventLoop: eventLoopGroup.next(), logger: logger)
            let over = RedisError.closed("the question is over", endpoint: endpoint.description)
            questions.add(link) { link.shutDown(over) }
            result = await link.send(question, timeout: timeout)
            questions.remove(link)
            link.shutDown(over)
        }
        if case .success(.error(let error)) = result, error.message.contains("cluster support disabled") {
            throw RedisError(
                code: .invalidConfiguration,
                outcome: .refused,
                message: "the server is not part of a Redis Cluster: use redis:// (rediss:// over TLS) and one host",
                serverError: error,
                endpoint: endpoint.description
            )
        }
        let map = try SlotMap(result.value(of: question, endpoint: endpoint.description), asked: endpoint)
        guard map.isEmpty else { return map }
        throw RedisError(
            code: .connectionFailed,
            outcome: .refused,
            message: "the node knows of no slots",
            endpoint: endpoint.description
        )
    }
}

// MARK: - Subscriptions

extension Cluster {
    /// Keeps a subscription with the owner of a key's slot, until `unfollow`.
    func follow(_ key: String, by link: SubscriptionLink) {
        let isFirst = state.withLock { state in
            guard state.decisions.ending == nil else { return false }
            state.followers[ObjectIdentifier(link)] = Follower(key: key, link: link)
            defer { state.isFollowing = true }
            return !state.isFollowing
        }
        guard isFirst else { return }
        // Unstructured: one look a second for all subscriptions of the client; ends with the last of them.
        Task { [weak self] in
            while let keys = self?.followedKeys() {
                for key in keys {
                    // A failure is learnt from, and the next look comes anyway.
                    _ = try? await self?.locate(key, before: .now() + .seconds(1))
                }
                try? await Task.sleep(for: Self.followingPause)
            }
        }
    }

    func unfollow(_ link: SubscriptionLink) {
        // Released after the lock: the link may end with it.
        _ = state.withLock { $0.followers.removeValue(forKey: ObjectIdentifier(link)) }
    }

    /// One key of each slot that a subscription needs; `nil` when there are none, and looking ends.
    private func followedKeys() -> [String]? {
        state.withLock { state in
            state.isFollowing = !state.followers.isEmpty
            guard state.isFollowing else { return nil }
            let keys = state.followers.values.map { (HashSlot(key: $0.key), $0.key) }
            return Array(Dictionary(keys, uniquingKeysWith: { first, _ in first }).values)
        }
    }

    /// Where a subscription connects to; `nil` as long as nothing is known.
    func connector(forSlotOf key: String) -> Connector? {
        let slot = HashSlot(key: key)
        return state.withLock { knownOwner(of: slot, &$0)?.connector }
    }

    /// A subscription's connection was lost, or could not be made.
    func subscriptionLost(_ endpoint: Endpoint?) {
        if let endpoint {
            nodeFailed(endpoint)
        } else {
            perform(state.withLock { $0.decisions.wantRefresh(now: .now()) })
        }
    }
}

extension RedisConfiguration {
    /// The same for one node of the cluster.
    fileprivate func forNode(at endpoint: Endpoint) -> RedisConfiguration {
        var configuration = self
        configuration.endpoint = endpoint
        configuration.otherSeeds = []
        return configuration
    }
}
