import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    static func text(_ text: String, type: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, headers: [.contentType: type], body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    static func json(_ value: JSONValue) -> Response { text(value.text, type: "application/json") }

    static func json(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    /// A page without scripts, and none can be brought in.
    static func html(_ text: String) -> Response {
        var response = Response.text(text, type: "text/html; charset=utf-8")
        response.headers[.contentSecurityPolicy] = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"
        return response
    }

    static func problem(_ problem: Problem) -> Response {
        var response = Response.text(
            problem.json.text,
            type: "application/problem+json",
            status: HTTPResponse.Status(code: problem.code.status)
        )
        switch problem.code {
        case .unauthenticated: response.headers[.wwwAuthenticate] = "Bearer realm=\"belay\""
        case .methodNotAllowed: response.headers[.allow] = problem.allowed?.joined(separator: ", ")
        case _ where problem.code.status == 503 && problem.isRetriable: response.headers[.retryAfter] = "1"
        default: break
        }
        return response
    }
}
