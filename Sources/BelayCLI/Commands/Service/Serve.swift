import ArgumentParser
import Belay
import BelayService
import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// Runs the machine interface over HTTP, with a reaper inside.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve every verb over HTTP, with health, metrics and a reaper inside.",
        discussion: """
            POST /v1/NAMESPACE/VERB takes and answers JSON; GET /reference tells all of it,
            /openapi.json the same for programs. /livez, /readyz (proves that work flows),
            /metrics (Prometheus) and /version tell how it does.

            Without tokens everybody on this host may do everything, so it listens on
            loopback only. With tokens, requests carry 'Authorization: Bearer TOKEN'; a
            token is 16 to 512 printable characters, one a line in its file.

            The address is printed when it listens. SIGTERM or SIGINT ends it with exit
            code 0 when the requests under way are answered. Any number may run at once.

            EXAMPLES
              belay serve --namespaces media,mail
              belay serve --listen 0.0.0.0:7464 --write-token-file /run/secrets/token
              curl --json '{"kinds":["mail"]}' http://127.0.0.1:7464/v1/belay/claim
            """
    )

    @Option(help: "Address and port; port 0 is any that is free.", transform: ListenAddress.parse)
    var listen = ListenAddress(host: "127.0.0.1", port: 7464)

    @Option(help: "A file with tokens that may ask, one a line; also $BELAY_READ_TOKENS, with spaces between.")
    var readTokenFile: String?

    @Option(help: "A file with tokens that may ask and change; also $BELAY_WRITE_TOKENS.")
    var writeTokenFile: String?

    @Flag(help: "No reaper inside; another one must run.")
    var noReap = false

    @Flag(help: "Run the trackers' finished hooks inside, and send their webhooks.")
    var hooks = false

    @OptionGroup var service: ServiceOptions
    @OptionGroup var global: GlobalOptions

    /// Where it listens, in JSON.
    private struct View: Encodable {
        var url: String
        var host: String
        var port: Int
    }

    func run() async throws {
        var configuration = HTTPService.Configuration()
        (configuration.host, configuration.port) = (listen.host, listen.port)
        configuration.readOnlyTokens = try tokens(readTokenFile, variable: "BELAY_READ_TOKENS")
        configuration.readWriteTokens = try tokens(writeTokenFile, variable: "BELAY_WRITE_TOKENS")
        let metrics = PrometheusMetrics()
        MetricsSystem.bootstrap(metrics)
        let isBound = Mutex(false)
        try await service.withDispatcher(global, logging: .info) { [output = global.output] dispatcher, logger in
            let http = try HTTPService(dispatcher, metrics: metrics, configuration: configuration, logger: logger) {
                isBound.withLock { $0 = true }
                tell($0, $1, output)
            }
            var services: [any Service] = [http]
            for namespace in dispatcher.trackers.namespaces {
                let tracker = try dispatcher.trackers.tracker(namespace)
                try await tracker.open()
                if !noReap { services.append(try Reaper(tracker)) }
                if hooks { services += [try HookRunner(tracker), try WebhookWorker(tracker)] as [any Service] }
            }
            if service.manualClock { logger.warning("for testing only: clocks stand still until they are moved") }
            do { try await Session.serve(services, logger: logger) } catch {
                guard !isBound.withLock({ $0 }) else { throw error }
                throw Failure(.cannotCreate, "cannot listen on \(listen): \(Escaping.line("\(error)"))")
            }
        }
    }

    private func tell(_ host: String, _ port: Int, _ output: Output) {
        let url = "http://\(ListenAddress(host: host, port: port))"
        if output.isJSON {
            output.json(View(url: url, host: host, port: port))
        } else {
            output.line("listening on \(url)")
        }
    }

    private func tokens(_ file: String?, variable: String) throws -> [String] {
        var text = global.environment[variable] ?? ""
        if let file {
            let bytes = try Body.bytes(of: file)
            text += "\n" + String(decoding: bytes, as: UTF8.self)
            guard bytes.contains(where: { $0 > 0x20 }) else {
                throw Failure(.badData, "token file “\(Escaping.line(file))” holds no token")
            }
        }
        return text.split(whereSeparator: \.isWhitespace).map(String.init)
    }
}

/// An address and a port, such as `127.0.0.1:7464`, `[::1]:0` or `localhost:80`.
struct ListenAddress: Sendable, CustomStringConvertible {
    var host: String
    var port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads text of the command line.
    static func parse(_ text: String) throws -> ListenAddress {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { throw ValidationError("not an address with a port; write it as 127.0.0.1:7464 or [::1]:7464") }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw ValidationError("not an address with a port; an address of IPv6 stands in brackets: [::1]:7464")
        }
        guard !host.isEmpty else { throw ValidationError("no address before the port; 0.0.0.0 listens on all") }
        return ListenAddress(host: String(host), port: port)
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
