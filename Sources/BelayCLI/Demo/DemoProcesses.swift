import Belay
import Subprocess
import Synchronization

#if canImport(System)
    import System
#else
    import SystemPackage
#endif
#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Processes of this program that a demo runs.
struct DemoProcesses: Sendable {
    let session: Session
    let children: Children
    private let program: String

    init(session: Session, children: Children) throws {
        self.session = session
        self.children = children
        program = try Self.ownProgram()
    }

    /// Starts a process of this program and waits for its end.
    /// - Parameter others: Where else to note it while it runs.
    /// - Returns: What it wrote to stdout; nil when a signal ended it.
    /// - Throws: ``Failure`` when it ended with another exit code than 0 and was not asked to.
    @discardableResult
    func run(_ name: String, _ words: [String], others: Children? = nil) async throws -> [UInt8]? {
        let command = Leash.command([program] + words)
        var options = PlatformOptions()
        options.processGroupID = 0
        let pid = Mutex<pid_t>(0)
        let result = try await Subprocess.run(
            .path(FilePath(command[0])),
            arguments: Arguments(Array(command.dropFirst())),
            environment: .inherit.updating([
                "REDIS_URL": session.url, "BELAY_NAMESPACE": session.tracker.namespace, "BELAY_STATE_DIR": nil,
            ]),
            platformOptions: options,
            input: .none,
            output: .bytes(limit: 1 << 20),
            error: .currentStandardError
        ) { execution in
            pid.withLock { $0 = execution.processIdentifier.value }
            children.add(execution.processIdentifier.value, leadsGroup: true)
            others?.add(execution.processIdentifier.value, leadsGroup: true)
        }
        children.remove(pid.withLock { $0 })
        others?.remove(pid.withLock { $0 })
        guard case .exited(let code) = result.terminationStatus else { return nil }
        if code != 0, !children.isStopping, others?.isStopping != true {
            throw Failure(.failed, "\(name) ended with exit code \(code)")
        }
        return result.standardOutput
    }

    private static func ownProgram() throws -> String {
        #if os(Linux)
            let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        #else
            let path = CommandLine.arguments.first.flatMap { realpath($0, nil) }.map { String(cString: $0) }
        #endif
        guard let path else { throw Failure(.bug, "cannot find the path of this program") }
        return path
    }
}
