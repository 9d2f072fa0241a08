import Foundation
import Synchronization
import Testing

@testable import BelayService

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A reader of Server-Sent Events, as a browser is one.
final class EventClient: NSObject, URLSessionDataDelegate, Sendable {
    /// A block of the stream: its fields by name, and what is no field.
    struct Block: Sendable, Hashable {
        var fields: [String: String] = [:]
        var comment: String?
        var json: JSONValue? { fields["data"].flatMap { try? JSONParser.parse(Array($0.utf8)) } }

        init(_ text: Substring) {
            for line in text.split(separator: "\n") {
                if line.hasPrefix(":") {
                    comment = String(line.dropFirst())
                } else if let end = line.range(of: ": ") {
                    fields[String(line[..<end.lowerBound])] = String(line[end.upperBound...])
                }
            }
        }
    }

    /// Status and content type, then the blocks; ends with the stream.
    let head: AsyncStream<(Int, String)>
    let blocks: AsyncStream<Block>
    private let headFeed: AsyncStream<(Int, String)>.Continuation
    private let feed: AsyncStream<Block>.Continuation
    private let rest = Mutex("")
    private let session = Mutex<URLSession?>(nil)

    override init() {
        (head, headFeed) = AsyncStream.makeStream()
        (blocks, feed) = AsyncStream.makeStream()
    }

    /// Asks for the stream.
    func open(_ port: Int, _ path: String, after position: String? = nil, token: String? = nil) throws {
        var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")))
        request.timeoutInterval = 60
        if let position { request.setValue(position, forHTTPHeaderField: "Last-Event-ID") }
        if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
        let session = URLSession(configuration: .ephemeral, delegate: self, delegateQueue: nil)
        session.dataTask(with: request).resume()
        self.session.withLock { $0 = session }
    }

    func close() { session.withLock { $0 }?.invalidateAndCancel() }

    func urlSession(
        _ session: URLSession,
        dataTask: URLSessionDataTask,
        didReceive response: URLResponse,
        completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
    ) {
        let http = response as? HTTPURLResponse
        headFeed.yield((http?.statusCode ?? 0, http?.value(forHTTPHeaderField: "Content-Type") ?? ""))
        completionHandler(.allow)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        let whole = rest.withLock { rest in
            rest += String(decoding: data, as: UTF8.self)
            var blocks: [Block] = []
            while let end = rest.range(of: "\n\n") {
                blocks.append(Block(rest[..<end.lowerBound]))
                rest.removeSubrange(..<end.upperBound)
            }
            return blocks
        }
        for block in whole { feed.yield(block) }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        headFeed.finish()
        feed.finish()
    }
}
