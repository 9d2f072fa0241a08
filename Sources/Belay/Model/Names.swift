/// A task's id: the caller's own or generated.
///
/// 1 to 256 bytes of UTF-8 without control characters. Unique within a tracker.
public struct TaskID: Sendable, Hashable, Comparable, Codable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// The id as text.
    public let description: String

    /// An id of the caller's choice.
    /// - Throws: `TrackerError` (`invalidArgument`) naming the value and what is allowed.
    public init(_ text: String) throws(TrackerError) {
        guard (1...Limits.idBytes).contains(text.utf8.count), !text.unicodeScalars.contains(where: \.isControl) else {
            throw .invalid("task id", text, allowed: "1 to \(Limits.idBytes) bytes of UTF-8 without control characters")
        }
        description = text
    }

    /// An id from a literal; a literal that is not valid ends the program.
    public init(stringLiteral text: String) {
        do { try self.init(text) } catch { preconditionFailure(error.description) }
    }

    /// Reads an id from text, refusing one that is not valid.
    public init(from decoder: any Decoder) throws { try self.init(decoder.singleValueContainer().decode(String.self)) }
    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// The id of the task that is called `identifier` among those of its kind: `kind#identifier`.
    ///
    /// A kind's name holds no `#`, so the pair of kind and identifier is unique, and the same identifier may be used again
    /// under another kind.
    /// - Throws: `TrackerError` (`invalidArgument`) when the identifier is empty, holds control characters, or both together
    ///   are over 256 bytes.
    public init(kind: KindName, identifier: String) throws(TrackerError) {
        let text = "\(kind)#\(identifier)"
        guard !identifier.isEmpty, text.utf8.count <= Limits.idBytes,
            !identifier.unicodeScalars.contains(where: \.isControl)
        else {
            throw .invalid(
                "identifier",
                identifier,
                allowed: "1 to \(Limits.idBytes - kind.description.utf8.count - 1) bytes of UTF-8 without control "
                    + "characters for a task of kind \(kind)"
            )
        }
        description = text
    }

    package init(trusted text: String) { description = text }

    /// By bytes, as Redis compares them: two ways to write “é” are two ids.
    public static func == (a: TaskID, b: TaskID) -> Bool { a.description.utf8.elementsEqual(b.description.utf8) }
    /// By bytes.
    public func hash(into hasher: inout Hasher) {
        var text = description
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
    /// By bytes, as Redis orders members of equal score.
    public static func < (a: TaskID, b: TaskID) -> Bool {
        a.description.utf8.lexicographicallyPrecedes(b.description.utf8)
    }
}

/// The name of a kind of task.
///
/// 1 to 64 of `A-Z a-z 0-9 . _ : / -`, beginning with a letter or digit.
public struct KindName: Sendable, Hashable, Comparable, Codable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// The name as text.
    public let description: String

    /// A name of the caller's choice.
    /// - Throws: `TrackerError` (`invalidArgument`) naming the value and what is allowed.
    public init(_ text: String) throws(TrackerError) {
        guard Names.isName(text, extra: ".:_/-", limit: Limits.kindBytes) else {
            throw .invalid(
                "kind",
                text,
                allowed: "1 to \(Limits.kindBytes) of A-Z a-z 0-9 . _ : / -, beginning with a letter or digit"
            )
        }
        description = text
    }

    /// A name from a literal; a literal that is not valid ends the program.
    public init(stringLiteral text: String) {
        do { try self.init(text) } catch { preconditionFailure(error.description) }
    }

    /// Reads a name from text, refusing one that is not valid.
    public init(from decoder: any Decoder) throws { try self.init(decoder.singleValueContainer().decode(String.self)) }
    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    package init(trusted text: String) { description = text }

    /// By bytes.
    public static func < (a: KindName, b: KindName) -> Bool {
        a.description.utf8.lexicographicallyPrecedes(b.description.utf8)
    }
}

/// Who works: `host:pid:nonce`. One name per worker in a process; the nonce keeps a restarted process apart.
public struct WorkerName: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The name as text, at most 64 bytes of printable ASCII without spaces.
    public let description: String

    /// A name of the caller's choice.
    /// - Throws: `TrackerError` (`invalidArgument`) naming the value and what is allowed.
    public init(_ text: String) throws(TrackerError) {
        guard (1...Limits.workerBytes).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else {
            throw .invalid(
                "worker name",
                text,
                allowed: "1 to \(Limits.workerBytes) printable ASCII characters without spaces"
            )
        }
        description = text
    }

    /// A name from its parts; the host is shortened to fit, characters that a name cannot hold become `-`.
    public init(host: String, pid: Int32, nonce: String) {
        func clean(_ text: String, limit: Int) -> String {
            let bytes = text.utf8.prefix(limit).map { byte in
                (0x21...0x7e).contains(byte) && byte != UInt8(ascii: ":") ? byte : UInt8(ascii: "-")
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        let tail = ":\(pid):\(clean(nonce, limit: 16))"
        let head = clean(host, limit: Limits.workerBytes - tail.utf8.count)
        description = (head.isEmpty ? "-" : head) + tail
    }

    /// Reads a name from text, refusing one that is not valid.
    public init(from decoder: any Decoder) throws { try self.init(decoder.singleValueContainer().decode(String.self)) }
    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    package init(trusted text: String) { description = text }

    /// The host's name, when the name is of the form `host:pid:nonce`; otherwise the whole name.
    public var host: String { description.split(separator: ":").first.map(String.init) ?? description }
    /// The process id, when the name is of the form `host:pid:nonce`.
    public var pid: Int32? {
        let parts = description.split(separator: ":")
        return parts.count == 3 ? Int32(parts[1]) : nil
    }
}

package enum Names {
    static func isName(_ text: String, extra: String, limit: Int) -> Bool {
        guard (1...limit).contains(text.utf8.count), let first = text.utf8.first, isAlphanumeric(first) else {
            return false
        }
        return text.utf8.allSatisfy { isAlphanumeric($0) || extra.utf8.contains($0) }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }

    package static func checkNamespace(_ text: String) throws(TrackerError) {
        guard isName(text, extra: "._-", limit: Limits.namespaceBytes) else {
            throw .invalid(
                "namespace",
                text,
                allowed: "1 to \(Limits.namespaceBytes) of A-Z a-z 0-9 . _ -, beginning with a letter or digit"
            )
        }
    }

    /// A name of who acts, or a lock's token: it stands as one word among others.
    package static func checkWord(_ what: String, _ text: String, limit: Int) throws(TrackerError) {
        guard (1...limit).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw .invalid(what, text, allowed: "1 to \(limit) printable ASCII characters without spaces")
        }
    }

    /// A message in a task's log; it may have several lines.
    package static func checkMessage(_ text: String) throws(TrackerError) {
        let isClean = !text.unicodeScalars.contains { $0.isControl && $0 != "\n" && $0 != "\t" }
        guard text.utf8.count <= Limits.messageBytes, isClean else {
            throw .invalid(
                "message",
                text,
                allowed: "at most \(Limits.messageBytes) bytes without control characters but line feeds and tabs"
            )
        }
    }

    package static func checkNote(_ what: String, _ text: String) throws(TrackerError) {
        guard text.utf8.count <= Limits.noteBytes, !text.unicodeScalars.contains(where: \.isControl) else {
            throw .invalid(what, text, allowed: "at most \(Limits.noteBytes) bytes without control characters")
        }
    }
}

extension Unicode.Scalar {
    package var isControl: Bool { value < 0x20 || (0x7f...0x9f).contains(value) }
}
