import Foundation
import Testing

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// `belay serve` as a process of its own, on a free port.
struct ServiceProcess: Sendable {
    let processID: pid_t
    /// Where it listens.
    let url: String

    /// An answer over HTTP.
    struct Answer {
        let status: Int
        let text: String
        let contentType: String

        /// The answer as a JSON object.
        func object() throws -> CommandLineTool.JSONObject {
            CommandLineTool.JSONObject(
                value: try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            )
        }
    }

    /// Asks for a page, or calls a verb when there is something to send.
    func send(_ path: String, _ body: String? = nil, token: String? = nil) async throws -> Answer {
        var request = URLRequest(url: try #require(URL(string: url + path)))
        request.timeoutInterval = 20
        if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
        if let body {
            request.httpMethod = "POST"
            request.httpBody = Data(body.utf8)
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        }
        let (data, response) = try await URLSession.shared.data(for: request)
        let http = try #require(response as? HTTPURLResponse)
        return Answer(
            status: http.statusCode,
            text: String(decoding: data, as: UTF8.self),
            contentType: http.value(forHTTPHeaderField: "Content-Type") ?? ""
        )
    }

    /// Calls a verb of the tool's namespace; it must answer with 200.
    func call(_ verb: String, _ body: String, of belay: CommandLineTool) async throws -> CommandLineTool.JSONObject {
        let answer = try await send("/v1/\(belay.variables["BELAY_NAMESPACE"] ?? "")/\(verb)", body)
        #expect(answer.status == 200, "\(answer.text)")
        return try answer.object()
    }
}

extension CommandLineTool {
    /// Runs `belay serve` beside `body`, then ends it by SIGTERM unless `body` ended it.
    /// - Returns: What it left.
    @discardableResult
    func withService(
        _ arguments: String...,
        variables: [String: String] = [:],
        _ body: @Sendable (ServiceProcess) async throws -> Void
    ) async throws -> Output {
        try await withTemporaryFolder { folder in
            // The shell writes where it listens into a file while it runs.
            let (output, _) = try await run(
                ["serve", "--listen", "127.0.0.1:0"] + arguments,
                variables: variables,
                outputFile: folder + "/out"
            ) { process in
                var line = ""
                try await eventually(within: .seconds(20)) {
                    line = (try? String(contentsOfFile: folder + "/out", encoding: .utf8)) ?? ""
                    return line.contains("\n") || kill(process, 0) != 0
                }
                defer { kill(process, SIGTERM) }
                let url = try #require(line.firstMatch(of: /listening on (http:[^\n]+)\n/)).1
                try await body(ServiceProcess(processID: process, url: String(url)))
            }
            return output
        }
    }
}
