import AsyncHTTPClient
import Belay
import Crypto
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Sends one webhook.
struct WebhookSender: Sendable {
    /// The longest wait for an answer, and the most of it that is kept.
    static let (timeout, answerLimit) = (Duration.seconds(10), 1024)

    let tracker: Tracker
    let client: HTTPClient

    /// What came back, as it is kept with the task.
    private struct Answer: Encodable {
        var status: Int
        var body: String
    }

    /// - Returns: What is kept as the task's result.
    /// - Throws: ``PermanentFailure`` where trying again is of no use, ``TaskFailure`` where it may be, or what the lookup of
    ///   the hook throws.
    func send(_ claim: Claim) async throws -> Body {
        let request = try await request(for: claim)
        let response: Answer
        do { response = try await answer(to: request) } catch {
            try Task.checkCancellation()
            throw TaskFailure(type: "http", message: error is TimedOut ? "no answer within 10 s" : "\(error)")
        }
        let told = "answered \(response.status)" + (response.body.isEmpty ? "" : ": \(response.body)")
        switch response.status {
        case 200..<300: return Body(bytes: try JSONText.bytes(response))
        case 408, 425, 429: throw TaskFailure(type: "http", message: told)
        case 400..<500: throw PermanentFailure(TaskFailure(type: "http", message: told))
        default: throw TaskFailure(type: "http", message: told)
        }
    }

    /// The request as the hook stands now.
    private func request(for claim: Claim) async throws -> HTTPClientRequest {
        guard let document = try? JSONParser.parse(claim.payload.bytes), case .string(let name)? = document["hook"]
        else {
            throw PermanentFailure(TaskFailure(type: "payload", message: "not what a hook enqueues"))
        }
        guard let hook = try await tracker.hook(named: name), case .webhook(let webhook) = hook.rule.action else {
            throw PermanentFailure(TaskFailure(type: "hook", message: "the hook “\(name)” was removed"))
        }
        var request = HTTPClientRequest(url: webhook.url)
        request.method = .POST
        for (name, value) in webhook.headers { request.headers.replaceOrAdd(name: name, value: value) }
        request.headers.replaceOrAdd(name: "Content-Type", value: "application/json")
        if !request.headers.contains(name: "User-Agent") {
            request.headers.add(name: "User-Agent", value: "belay/\(ServiceVersion.number)")
        }
        request.headers.replaceOrAdd(name: "X-Belay-Delivery", value: Self.visible(claim.id.description))
        request.headers.replaceOrAdd(name: "X-Belay-Hook", value: name)
        if case .string(let event)? = document["event"]?["name"] {
            request.headers.replaceOrAdd(name: "X-Belay-Event", value: Self.visible(event))
        }
        if let secret = webhook.secret {
            request.headers.replaceOrAdd(
                name: "X-Belay-Signature",
                value: Self.signature(of: claim.payload.bytes, secret: secret)
            )
        }
        request.body = .bytes(ByteBuffer(bytes: claim.payload.bytes))
        return request
    }

    /// `sha256=` and the HMAC-SHA256 of the body, in hexadecimal digits.
    static func signature(of body: [UInt8], secret: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: body, using: SymmetricKey(data: Array(secret.utf8)))
        return "sha256=" + code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Text as a header can hold it: other bytes than visible ASCII, and `%`, as `%` and two digits.
    static func visible(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            if (0x21...0x7e).contains(byte), byte != UInt8(ascii: "%") {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }

    private struct TimedOut: Error {}

    /// The answer with the begin of its body, within the time.
    private func answer(to request: HTTPClientRequest) async throws -> Answer {
        try await withThrowingTaskGroup(of: Answer.self) { group in
            group.addTask {
                let response = try await client.execute(request, timeout: .seconds(10))
                var bytes: [UInt8] = []
                for try await part in response.body {
                    bytes += part.readableBytesView.prefix(Self.answerLimit - bytes.count)
                    if bytes.count >= Self.answerLimit { break }
                }
                return Answer(status: Int(response.status.code), body: String(decoding: bytes, as: UTF8.self))
            }
            group.addTask {
                try await ContinuousClock().sleep(for: Self.timeout)
                throw TimedOut()
            }
            defer { group.cancelAll() }
            guard let answer = try await group.next() else { throw TimedOut() }
            return answer
        }
    }
}
