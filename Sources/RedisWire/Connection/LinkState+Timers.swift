import NIOCore

extension LinkState {
    /// The timer that was asked for at `time` fired.
    mutating func timerFired(at time: NIODeadline, now: NIODeadline, random: Double) -> Actions {
        var actions = Actions()
        guard time == armed else { return actions }
        armed = nil
        expireQueue(now: now, &actions)
        expireInFlight(now: now, &actions)
        closeIfStalled(now: now, &actions)
        if case .connecting(let until) = phase, until <= now {
            actions.close = generation
            let failure = error(.connectionFailed, .notSent, "no connection within the connect time-out")
            lose(failure, now: now, random: random, &actions)
        }
        if isIdle(now: now) {
            actions.close = generation
            phase = .disconnected(notBefore: now)
        }
        advance(now: now, &actions)
        if let next = nextDeadline() { arm(next, &actions) }
        return actions
    }

    /// Asks for a timer unless an earlier one is running.
    mutating func arm(_ time: NIODeadline, _ actions: inout Actions) {
        if let armed, armed <= time { return }
        armed = time
        actions.timer = time
    }

    private mutating func expireQueue(now: NIODeadline, _ actions: inout Actions) {
        guard queue.contains(where: { $0.deadline <= now }) else { return }
        var kept = CircularBuffer<Pending>(initialCapacity: queue.count)
        for pending in queue {
            if pending.deadline <= now {
                actions.failed.append((pending.waiter, queueTimeout()))
            } else {
                kept.append(pending)
            }
        }
        queue = kept
    }

    /// The error of a command that was never written: the reason is the missing connection, if that is the reason.
    private func queueTimeout() -> RedisError {
        guard phase != .ready, let lastFailure else {
            return error(.timedOut, .notSent, "time ran out before it could be sent")
        }
        return lastFailure.with(outcome: .notSent)
    }

    private mutating func expireInFlight(now: NIODeadline, _ actions: inout Actions) {
        for index in inFlight.indices where inFlight[index].deadline <= now {
            guard let waiter = inFlight[index].waiter else { continue }
            inFlight[index].waiter = nil
            actions.failed.append((waiter, error(.timedOut, .unknown, "no reply in time")))
        }
    }

    private mutating func closeIfStalled(now: NIODeadline, _ actions: inout Actions) {
        let limit = policy.kind == .single ? inFlight.first?.deadline : inFlight.first?.stallsAt
        guard let limit, limit <= now else { return }
        breakConnection(error(.connectionClosed, .unknown, "the server gave no reply in time"), now: now, &actions)
    }

    private func isIdle(now: NIODeadline) -> Bool {
        policy.kind == .shared && phase == .ready && queue.isEmpty && inFlight.isEmpty
            && lastUse + policy.idleTimeout <= now
    }

    private func nextDeadline() -> NIODeadline? {
        var times = queue.map(\.deadline)
        times += inFlight.lazy.filter { $0.waiter != nil }.map(\.deadline)
        if let oldest = inFlight.first { times.append(oldest.stallsAt) }
        switch phase {
        case .connecting(let until): times.append(until)
        case .disconnected(let notBefore) where !queue.isEmpty: times.append(notBefore)
        case .ready where policy.kind == .shared && queue.isEmpty && inFlight.isEmpty:
            times.append(lastUse + policy.idleTimeout)
        case .disconnected, .ready, .retiring, .closed: break
        }
        return times.min()
    }
}

extension LinkState {
    /// Does what the state calls for next: connect, write, or wait for the time to connect.
    mutating func advance(now: NIODeadline, _ actions: inout Actions) {
        guard let next = queue.first else { return }
        switch phase {
        case .disconnected(let notBefore) where notBefore <= now:
            generation += 1
            let until = now + policy.connectTimeout
            phase = .connecting(until: until)
            actions.connect = generation
            arm(until, &actions)
        case .disconnected(let notBefore):
            arm(notBefore, &actions)
        case .ready where !drainScheduled && hasRoom(for: next):
            drainScheduled = true
            actions.drain = true
        case .connecting, .ready, .retiring, .closed:
            break
        }
    }

    /// Whether a command may be written now. A command larger than the bound is written alone.
    func hasRoom(for pending: Pending) -> Bool {
        inFlight.isEmpty
            || (inFlight.count < policy.maxWaiting && bytesInFlight + pending.byteCount <= policy.maxBytes)
    }

    /// Closes a connection that is in doubt; commands in flight fail.
    mutating func breakConnection(_ failure: RedisError, now: NIODeadline, _ actions: inout Actions) {
        actions.close = generation
        lose(failure, now: now, random: 0, &actions)
    }

    /// The connection is gone.
    mutating func lose(_ failure: RedisError, now: NIODeadline, random: Double, _ actions: inout Actions) {
        var wasConnecting = false
        if case .connecting = phase { wasConnecting = true }
        failInFlight(failure, &actions)
        lastFailure = failure
        if ending != nil || policy.kind == .single {
            ending = ending ?? failure
            failQueue(failure, &actions)
            end(&actions)
            return
        }
        failures += 1
        var pause = policy.backoff.pause(afterFailures: failures, random: random)
        if wasConnecting && !failure.isRetriable {
            // A wrong password does not become right by asking again at once.
            failQueue(failure, &actions)
            pause = max(pause, .seconds(1))
        }
        phase = .disconnected(notBefore: now + TimeAmount(rounding: pause))
    }

    /// Ends a retiring connection once nothing is in flight.
    mutating func finishRetiring(_ actions: inout Actions) {
        guard phase == .retiring, inFlight.isEmpty else { return }
        actions.close = generation
        if ending == nil {
            phase = .disconnected(notBefore: .uptimeNanoseconds(0))
        } else {
            end(&actions)
        }
    }

    mutating func end(_ actions: inout Actions) {
        phase = .closed
        actions.ended = true
    }

    mutating func failQueue(_ failure: RedisError, _ actions: inout Actions) {
        let failure = failure.with(outcome: .notSent)
        actions.failed += queue.map { ($0.waiter, failure) }
        queue.removeAll()
    }

    private mutating func failInFlight(_ failure: RedisError, _ actions: inout Actions) {
        let failure = failure.with(outcome: .unknown)
        for slot in inFlight {
            if let waiter = slot.waiter { actions.failed.append((waiter, failure)) }
        }
        inFlight.removeAll()
        bytesInFlight = 0
    }

    func cancelledEarly() -> RedisError {
        error(.cancelled, .notSent, "cancelled before it was sent")
    }

    func error(_ code: RedisError.Code, _ outcome: RedisError.Outcome, _ message: String) -> RedisError {
        RedisError(code: code, outcome: outcome, message: message, endpoint: policy.endpoint)
    }
}
