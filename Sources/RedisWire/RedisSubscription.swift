/// The messages of some channels, without end.
///
/// Each iterator has a connection of its own, opened at the first ``Iterator/next()``. When the connection is lost it is
/// opened again with growing pauses, and when a cluster's slot has moved, at its new owner; messages of that time are
/// lost, which ``Event/subscribed`` tells. The sequence ends when the iterating task is cancelled or the client is
/// closed. A reader that falls behind by about a thousand messages stops the reading of the socket; the server closes
/// the connection when its own buffer is full.
public struct RedisSubscription: AsyncSequence, Sendable {
    /// What a subscriber hears.
    public enum Event: Sendable, Equatable {
        /// All channels are subscribed, for the first time or again: messages before this moment may have been missed.
        case subscribed
        /// A message and the channel that it came by.
        case message(channel: String, payload: [UInt8])
    }

    /// The type of the sequence's elements.
    public typealias Element = Event
    /// A subscription reports no failures; it tries again.
    public typealias Failure = Never

    let makeLink: @Sendable () -> SubscriptionLink

    /// Opens a connection of its own when it is first asked for an event, and closes it when it is released.
    public func makeAsyncIterator() -> Iterator {
        Iterator(lifetime: Lifetime(link: makeLink()))
    }

    /// Reads one subscription. For one task.
    public struct Iterator: AsyncIteratorProtocol {
        let lifetime: Lifetime

        /// The next event, or `nil` when the task is cancelled or the client closed.
        public mutating func next() async -> Event? {
            await lifetime.link.next()
        }

        /// The next event, or `nil` when the task is cancelled or the client closed.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> Event? {
            await lifetime.link.next()
        }
    }

    /// Ends the connection with the last copy of an iterator: the link itself is also held by its channel.
    final class Lifetime: Sendable {
        let link: SubscriptionLink

        init(link: SubscriptionLink) {
            self.link = link
        }

        deinit {
            link.shutDown()
        }
    }
}
