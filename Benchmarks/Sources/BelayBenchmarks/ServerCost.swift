/// What a server has spent, as `INFO everything` tells it; two of them make a difference.
struct ServerCost: Sendable {
    /// Processor time, microseconds.
    var cpu = 0.0
    /// The time of scripts, microseconds.
    var scripts = 0.0
    /// Commands that clients sent; `INFO`, `MEMORY` and what begins a connection are not counted.
    var calls = 0.0
    /// Commands that scripts called.
    var inner = 0.0
    /// Bytes that clients sent and received.
    var bytes = 0.0

    init(cpu: Double = 0, scripts: Double = 0, calls: Double = 0, inner: Double = 0, bytes: Double = 0) {
        (self.cpu, self.scripts, self.calls, self.inner, self.bytes) = (cpu, scripts, calls, inner, bytes)
    }

    init(info: String) {
        for line in info.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("used_cpu_sys:") || line.hasPrefix("used_cpu_user:") {
                cpu += (Double(line.split(separator: ":")[1]) ?? 0) * 1_000_000
            } else if line.hasPrefix("total_net_input_bytes:") || line.hasPrefix("total_net_output_bytes:") {
                bytes += Double(line.split(separator: ":")[1]) ?? 0
            } else if line.hasPrefix("cmdstat_"), let colon = line.firstIndex(of: ":") {
                let name = line[..<colon].dropFirst("cmdstat_".count)
                let fields = Self.fields(line[colon...].dropFirst())
                let count = fields["calls"] ?? 0
                if name.hasPrefix("eval") {
                    scripts += fields["usec"] ?? 0
                    calls += count
                } else if !Self.unseen.contains(where: { name.hasPrefix($0) }) {
                    inner += count
                }
            }
        }
    }

    /// What clients send beside scripts; everything else is called by scripts, as Belay has it.
    private static let unseen = [
        "info", "memory", "client", "hello", "auth", "ping", "subscribe", "lastsave", "command", "cluster", "dbsize",
    ]

    private static func fields(_ text: Substring) -> [Substring: Double] {
        var fields: [Substring: Double] = [:]
        for field in text.split(separator: ",") {
            let parts = field.split(separator: "=")
            if parts.count == 2 { fields[parts[0]] = Double(parts[1]) }
        }
        return fields
    }

    static func - (a: Self, b: Self) -> Self {
        Self(
            cpu: a.cpu - b.cpu,
            scripts: a.scripts - b.scripts,
            calls: a.calls - b.calls,
            inner: a.inner - b.inner,
            bytes: a.bytes - b.bytes
        )
    }
}
