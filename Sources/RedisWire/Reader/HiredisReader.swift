import CHiredis
import NIOCore

/// hiredis' reply parser with reply-object callbacks of our own.
///
/// The callbacks build Swift values at once, so hiredis allocates no reply tree; the objects that it passes around are a
/// constant that is never read. The order of the callbacks is the order of the bytes, so `ReplyBuilder` needs neither
/// indexes nor parents. A reader that has thrown is dead, as its connection is.
///
/// Not `Sendable`: it belongs to the event loop of one connection. No pointer leaves this file.
final class HiredisReader {
    /// What the callbacks reach through hiredis' `privdata`.
    private final class Context {
        var builder: ReplyBuilder
        /// hiredis 1.x also reads the types of RESP3, which no server sends that was not asked to.
        var hasUnknownType = false

        init(limits: ReplyBuilder.Limits) {
            builder = ReplyBuilder(limits: limits)
        }
    }

    /// The longest line: a status, an error, a number or a length.
    static let maxLineBytes = 1 << 16
    /// Buffers up to this size are kept between reads; hiredis would free and allocate anew above 16 KiB.
    private static let keptBufferBytes = 1 << 20

    private let reader: UnsafeMutablePointer<redisReader>
    private let context: Context

    init(limits: ReplyBuilder.Limits) {
        guard let reader = redisReaderCreateWithFunctions(Self.functions) else {
            fatalError("out of memory: hiredis cannot allocate a reader")
        }
        self.reader = reader
        context = Context(limits: limits)
        reader.pointee.maxbuf = Self.keptBufferBytes
        // The reader, and so every use of this pointer, ends in deinit, before `context` is released.
        reader.pointee.privdata = Unmanaged.passUnretained(context).toOpaque()
    }

    deinit {
        redisReaderFree(reader)
    }

    /// Parses all replies that `bytes` completes and appends them to `replies`.
    ///
    /// - Throws: ``RedisError/Code/protocolViolation`` or ``RedisError/Code/tooLarge``; the replies before the bad one
    ///   are in `replies`.
    func read(_ bytes: UnsafeRawBufferPointer, into replies: inout [RedisReply]) throws(RedisError) {
        let base = bytes.bindMemory(to: CChar.self).baseAddress
        guard redisReaderFeed(reader, base, bytes.count) == REDIS_OK else { throw failure() }
        while let reply = try next() {
            replies.append(reply)
        }
        try checkUnfinished()
    }

    private func next() throws(RedisError) -> RedisReply? {
        var object: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &object) == REDIS_OK else { throw failure() }
        guard object != nil else { return nil }
        // Types for which there is no callback leave the builder behind.
        guard let reply = context.builder.take() else { throw unknownType }
        return reply
    }

    /// Refuses a long line or a large declared length before its bytes arrive.
    ///
    /// Where hiredis stops inside a reply its position is behind the item's type byte. Every item but a bulk string is
    /// read as soon as its line is complete, so a complete line there is the length of a bulk string.
    private func checkUnfinished() throws(RedisError) {
        let unread = reader.pointee.len - reader.pointee.pos
        guard reader.pointee.ridx >= 0, unread > 0, let buffer = reader.pointee.buf else { return }
        let rest = UnsafeRawBufferPointer(start: buffer + reader.pointee.pos, count: unread)
        guard let end = rest.prefix(Decimal.maximumLength + 1).firstIndex(of: RESP.carriageReturn) else {
            guard unread > Self.maxLineBytes else { return }
            throw violation("a line longer than \(Self.maxLineBytes) bytes")
        }
        guard end + 1 < rest.endIndex, rest[end + 1] == RESP.lineFeed,
            let length = Int(String(decoding: rest[..<end], as: UTF8.self))
        else { return }
        guard context.builder.accepts(declaredLength: length) else { throw failure() }
    }

    private var unknownType: RedisError { violation("a type that RESP2 does not have") }

    private func failure() -> RedisError {
        if context.hasUnknownType { return unknownType }
        if let refusal = context.builder.refusal {
            return RedisError(code: .tooLarge, outcome: .unknown, message: "reply refused: \(refusal)")
        }
        let text = withUnsafeBytes(of: &reader.pointee.errstr) { $0.prefix { $0 != 0 }.map(\.self) }
        return violation(String(decoding: text, as: UTF8.self))
    }

    private func violation(_ text: String) -> RedisError {
        RedisError(code: .protocolViolation, outcome: .unknown, message: "malformed reply: \(text)")
    }
}

extension HiredisReader {
    /// hiredis takes any object but null for success.
    ///
    /// `nonisolated(unsafe)`: constant, and never dereferenced.
    private nonisolated(unsafe) static let built = UnsafeMutableRawPointer(bitPattern: 1)

    /// hiredis keeps this pointer for as long as a reader lives, so it is allocated once and never freed.
    ///
    /// `nonisolated(unsafe)`: written once here, only read later.
    private nonisolated(unsafe) static let functions: UnsafeMutablePointer<redisReplyObjectFunctions> = {
        var functions = redisReplyObjectFunctions()
        functions.createString = { task, bytes, length in
            HiredisReader.build(task) { builder in
                let content = UnsafeRawBufferPointer(start: bytes, count: length)
                if task?.pointee.type == REDIS_REPLY_ERROR {
                    let error = RedisServerError(message: String(decoding: content, as: UTF8.self))
                    return builder.add(.error(error), byteCount: length)
                }
                return builder.add(.bytes([UInt8](content)), byteCount: length)
            }
        }
        // The count is an `int` in hiredis 0.14 and a `size_t` in 1.x.
        functions.createArray = { task, count in
            HiredisReader.build(task) { $0.openArray(count: Int(clamping: count)) }
        }
        functions.createInteger = { task, value in
            HiredisReader.build(task) { $0.add(.integer(Int(value))) }
        }
        functions.createNil = { task in
            HiredisReader.build(task) { $0.add(.null) }
        }
        functions.freeObject = { _ in }
        let pointer = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
        pointer.initialize(to: functions)
        return pointer
    }()

    private static func build(
        _ task: UnsafePointer<redisReadTask>?,
        _ body: (inout ReplyBuilder) -> Bool
    ) -> UnsafeMutableRawPointer? {
        guard let task, let data = task.pointee.privdata else { return nil }
        let context = Unmanaged<Context>.fromOpaque(data).takeUnretainedValue()
        switch task.pointee.type {
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS, REDIS_REPLY_ERROR, REDIS_REPLY_INTEGER, REDIS_REPLY_ARRAY:
            return body(&context.builder) ? built : nil
        default:
            context.hasUnknownType = true
            return nil
        }
    }
}
