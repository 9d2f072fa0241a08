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

/// A program that does the work of tasks, in a process group of its own.
///
/// It is asked to end by SIGTERM and killed with its whole group a while later: when its time is over, when its lock is
/// lost, when its task is cancelled, and when the command is to end.
struct Program: Sendable {
    /// How a run ended.
    struct End: Sendable {
        var status: TerminationStatus
        /// The beginning of stdout, when it was captured.
        var output: [UInt8] = []
        var isOutputCut = false
        /// The end of stderr.
        var errorTail: [UInt8] = []
        var isTimedOut = false

        /// The code with which it ended by itself.
        var ownCode: Int32? {
            guard !isTimedOut, case .exited(let code) = status else { return nil }
            return code
        }

        /// As a shell says it.
        var exitCode: Int32 {
            if isTimedOut { return ExitStatus.timedOut.rawValue }
            switch status {
            case .exited(let code): return code
            case .signaled(let signal): return 128 + signal
            }
        }
    }

    /// The program and its arguments.
    var words: [String]
    /// Where it runs; nil for where `belay` runs.
    var folder: String?
    /// The longest run; nil for any.
    var timeout: Duration?
    /// The time between SIGTERM and SIGKILL.
    var killAfter: Duration
    /// Bytes of stdout that are kept.
    var outputLimit = Limits.defaultPayloadBytes

    static let errorTailBytes = 8 << 10

    /// A command line for `/bin/sh`.
    static func shell(_ line: String) -> [String] { ["/bin/sh", "-c", line] }

    /// Refuses a folder that is not there, before any task is taken.
    func check() throws {
        guard let folder else { return }
        var info = stat()
        guard stat(folder, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
            throw Failure(.notFound, "--cwd “\(Escaping.line(folder))” is not a folder")
        }
    }

    /// What a run needs from its surroundings.
    struct Surroundings: Sendable {
        var children: Children
        /// The server's URL and the tracker's namespace.
        var url: String
        var namespace: String
    }

    /// Runs it for a claim, payload on stdin, stdout and stderr captured.
    func runCaptured(_ context: ClaimContext, in surroundings: Surroundings) async throws -> End {
        let payload = context.claim.payload.bytes
        return try await supervised(context, surroundings.children) { running in
            let limit = outputLimit
            let result = try await run(
                configuration(context.claim, surroundings, leadsGroup: true),
                input: .inputWriter,
                output: .sequence,
                error: .sequence
            ) { execution in
                running.began(execution.processIdentifier.value, leadsGroup: true)
                return await withTaskGroup(of: Captured.self) { group in
                    group.addTask {
                        _ = try? await execution.standardInputWriter.write(payload)
                        try? await execution.standardInputWriter.finish()
                        return .nothing
                    }
                    group.addTask { await .output(Self.head(execution.standardOutput, limit)) }
                    group.addTask { await .error(Self.tail(execution.standardError)) }
                    return await group.reduce(into: End(status: .exited(0))) { end, part in part.add(to: &end) }
                }
            }
            var end = result.closureResult
            end.status = result.terminationStatus
            return end
        }
    }

    /// What a run that was stopped is to throw: a task that somebody cancelled says so in its history.
    static func stopped(_ error: any Error, _ context: ClaimContext) -> any Error {
        guard error is CancellationError, context.stopReason == .cancelRequested else { return error }
        return TaskFailure(type: "cancelled", message: "the program was ended because its task was cancelled")
    }

    /// Runs it for a claim with this process' own stdin, stdout and stderr; the end of stderr is kept.
    func runInherited(_ context: ClaimContext, in surroundings: Surroundings) async throws -> End {
        // A program of another group could not read from a terminal.
        let leadsGroup = !Terminal.isTerminal(0)
        return try await supervised(context, surroundings.children) { running in
            let result = try await run(
                configuration(context.claim, surroundings, leadsGroup: leadsGroup),
                input: .currentStandardInput,
                output: .currentStandardOutput,
                error: .sequence
            ) { execution in
                running.began(execution.processIdentifier.value, leadsGroup: leadsGroup)
                return await Self.tail(execution.standardError, copyTo: 2)
            }
            return End(status: result.terminationStatus, errorTail: result.closureResult)
        }
    }

    private func configuration(_ claim: Claim, _ surroundings: Surroundings, leadsGroup: Bool)
        -> Subprocess.Configuration
    {
        let command = Leash.command(words)
        let executable: Executable = command[0].contains("/") ? .path(FilePath(command[0])) : .name(command[0])
        var options = PlatformOptions()
        if leadsGroup { options.processGroupID = 0 }
        options.teardownSequence = [
            .send(signal: .terminate, toProcessGroup: leadsGroup, allowedDurationToNextStep: killAfter)
        ]
        return Subprocess.Configuration(
            executable: executable,
            arguments: Arguments(Array(command.dropFirst())),
            environment: .inherit.updating(variables(claim, surroundings)),
            workingDirectory: folder.map { FilePath($0) },
            platformOptions: options
        )
    }

    private func variables(_ claim: Claim, _ surroundings: Surroundings) -> [Environment.Key: String?] {
        var variables: [Environment.Key: String?] = [
            "BELAY_TASK_ID": claim.id.description, "BELAY_KIND": claim.kind.description,
            "BELAY_ATTEMPT": "\(claim.attempt)", "BELAY_FENCE": "\(claim.fence)", "BELAY_TOKEN": claim.token,
            "BELAY_NAMESPACE": surroundings.namespace, "REDIS_URL": surroundings.url, "BELAY_PAYLOAD": nil,
        ]
        let bytes = claim.payload.bytes
        if bytes.count <= 32 << 10, !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) {
            variables["BELAY_PAYLOAD"] = text
        }
        return variables
    }
}

// MARK: - Time-out and stop

extension Program {
    /// The process of a run, from the moment that it is known.
    private final class Running: Sendable {
        private let state = Mutex<(process: pid_t, leadsGroup: Bool)?>(nil)
        private let timedOut = Mutex(false)
        let children: Children

        init(_ children: Children) { self.children = children }

        func began(_ process: pid_t, leadsGroup: Bool) {
            state.withLock { $0 = (process, leadsGroup) }
            children.add(process, leadsGroup: leadsGroup)
        }

        var isTimedOut: Bool { timedOut.withLock { $0 } }
        func noteTimeOut() { timedOut.withLock { $0 = true } }

        func send(_ signal: Int32) {
            guard let (process, leadsGroup) = state.withLock({ $0 }) else { return }
            Children.send(signal, to: process, leadsGroup)
        }

        /// Forgets the process; ends what is left of its group when it did not end by itself.
        func ended(byForce: Bool) {
            guard let (process, leadsGroup) = state.withLock({ $0 }) else { return }
            children.remove(process)
            if byForce, leadsGroup { Children.send(SIGKILL, to: process, true) }
        }
    }

    private func supervised(
        _ context: ClaimContext,
        _ children: Children,
        _ body: @escaping @Sendable (Running) async throws -> End
    ) async throws -> End {
        do { return try await handedBackWhenStopping(children, body) } catch { throw Self.stopped(error, context) }
    }

    private func handedBackWhenStopping(
        _ children: Children,
        _ body: @escaping @Sendable (Running) async throws -> End
    ) async throws -> End {
        let running = Running(children)
        var end = try await untilTimeOut(running, body)
        end.isTimedOut = running.isTimedOut && !end.status.isSuccess
        try Task.checkCancellation()
        if children.isStopping, !end.status.isSuccess {
            // It ended because this command is to end: the task is to be handed back, which a cancellation means.
            running.ended(byForce: true)
            try await Task.sleep(for: .seconds(3600))
        }
        return end
    }

    private func untilTimeOut(_ running: Running, _ body: @escaping @Sendable (Running) async throws -> End)
        async throws -> End
    {
        defer { running.ended(byForce: running.isTimedOut || running.children.isStopping || Task.isCancelled) }
        return try await withThrowingTaskGroup(of: End?.self) { group in
            group.addTask { try await body(running) }
            if let timeout { group.addTask { try await self.watch(running, timeout) } }
            while let next = try await group.next() {
                guard let end = next else { continue }
                group.cancelAll()
                return end
            }
            throw CancellationError()
        }
    }

    private func watch(_ running: Running, _ timeout: Duration) async throws -> End? {
        try await Task.sleep(for: timeout)
        running.noteTimeOut()
        running.send(SIGTERM)
        try await Task.sleep(for: killAfter)
        running.send(SIGKILL)
        return nil
    }
}

// MARK: - Output

extension Program {
    private enum Captured: Sendable {
        case nothing
        case output((bytes: [UInt8], isCut: Bool))
        case error([UInt8])

        func add(to end: inout End) {
            switch self {
            case .nothing: break
            case .output(let head): (end.output, end.isOutputCut) = head
            case .error(let tail): end.errorTail = tail
            }
        }
    }

    /// The first bytes of a stream; the rest is read and dropped.
    private static func head(_ stream: SubprocessOutputSequence, _ limit: Int) async -> (bytes: [UInt8], isCut: Bool) {
        var bytes: [UInt8] = []
        var isCut = false
        do {
            for try await chunk in stream {
                let room = limit - bytes.count
                chunk.withUnsafeBytes { bytes += $0.prefix(room) }
                isCut = isCut || chunk.count > room
            }
        } catch {
            // The program has ended or is being ended; what was read stands.
        }
        return (bytes, isCut)
    }

    /// The last bytes of a stream.
    private static func tail(_ stream: SubprocessOutputSequence, copyTo descriptor: Int32? = nil) async -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            for try await chunk in stream {
                let new = chunk.withUnsafeBytes { Array($0) }
                if let descriptor { Terminal.write(new, to: descriptor) }
                bytes += new
                if bytes.count > 2 * errorTailBytes { bytes.removeFirst(bytes.count - errorTailBytes) }
            }
        } catch {
            // As above.
        }
        return Array(bytes.suffix(errorTailBytes))
    }
}

extension Program.End {
    /// Why the attempt failed; nil when it did not.
    func failure(timeout: Duration?) -> TaskFailure? {
        guard !status.isSuccess else { return nil }
        let lines = String(decoding: errorTail, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
        if isTimedOut {
            let limit = timeout.map { Span.text($0) } ?? "its time"
            return TaskFailure(type: "timeout", message: "ran longer than \(limit)", backtrace: lines)
        }
        switch status {
        case .exited(let code): return TaskFailure(type: "exit", message: "exit code \(code)", backtrace: lines)
        case .signaled(let signal): return TaskFailure(type: "exit", message: "signal \(signal)", backtrace: lines)
        }
    }
}
