/// What is running: the one place that says it.
public enum ServiceVersion {
    /// The release of Belay.
    public static let number = "0.1.0"
    /// The schema of trackers that it reads and writes.
    public static let schema = 1

    /// The version of Swift that it was built with.
    public static var swift: String {
        #if compiler(>=6.5)
            "6.5 or newer"
        #elseif compiler(>=6.4)
            "6.4"
        #elseif compiler(>=6.3)
            "6.3"
        #else
            "6.2"
        #endif
    }

    /// All of it as JSON.
    public static var json: JSONValue {
        [
            "name": "belay", "version": .string(number), "schema": .number("\(schema)"), "swift": .string(swift),
        ]
    }
}
