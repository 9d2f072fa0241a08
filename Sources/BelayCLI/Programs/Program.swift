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
/// lost, when its task is cancelled (by the signal that was named then), and when the command is to end. At the soft limit
/// of its kind it is asked, too, and has until its lock is lost, at the latest at the kind's time-out.
struct Program: Sendable {
    /// How a run ended.
    struct End: Sendable {
        var status: TerminationStatus
        /// The beginning of stdout, when it was captured.
        var output: [UInt8] = []
        var isOutputCut = false
        /// The end of stderr.
        var errorTail: [UInt8] = []
        /// Which limit it did not keep, when it did not.
        var limit: Limit?

        /// A limit of its time.
        enum Limit: Sendable {
            /// The command's own.
            case command
            /// The soft limit of its kind.
            case soft
        }

        /// The code with which it ended by itself.
        var ownCode: Int32? {
            guard limit == nil, case .exited(let code) = status else { return nil }
            return code
        }

        /// As a shell says it.
        var exitCode: Int32 {
            if limit != nil { return ExitStatus.timedOut.rawValue }
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
        /// What is to be sent as soon as there is a process.
        private let early = Mutex<Int32?>(nil)
        private let timedOut = Mutex(false)
        let children: Children

        init(_ children: Children) { self.children = children }

        func began(_ process: pid_t, leadsGroup: Bool) {
            state.withLock { $0 = (process, leadsGroup) }
            children.add(process, leadsGroup: leadsGroup)
            if let signal = early.withLock(\.self) { send(signal) }
        }

        var isTimedOut: Bool { timedOut.withLock { $0 } }
        func noteTimeOut() { timedOut.withLock { $0 = true } }

        func send(_ signal: Int32) {
            early.withLock { $0 = signal }
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
        let running = Running(children)
        var end = try await untilEnd(running, context, body)
        try Task.checkCancellation()
        if children.isStopping, !end.status.isSuccess {
            // It ended because this command is to end: the task is to be handed back, as the worker will ask next.
            while context.stopReason == nil, !Task.isCancelled { await context.waitForStop() }
        }
        switch context.stopReason {
        case .cancelRequested:
            throw TaskFailure(type: "cancelled", message: "the program was ended because its task was cancelled")
        case .lockLost: throw CancellationError()
        case .shutdown where !end.status.isSuccess: throw CancellationError()
        case .timeLimit where !end.status.isSuccess: end.limit = .soft
        case .timeLimit, .shutdown, nil: break
        }
        try Task.checkCancellation()
        if running.isTimedOut, !end.status.isSuccess { end.limit = .command }
        return end
    }

    private func untilEnd(
        _ running: Running,
        _ context: ClaimContext,
        _ body: @escaping @Sendable (Running) async throws -> End
    ) async throws -> End {
        defer {
            let isAsked = running.isTimedOut || running.children.isStopping || context.stopReason != nil
            running.ended(byForce: isAsked || Task.isCancelled)
        }
        return try await withThrowingTaskGroup(of: End?.self) { group in
            group.addTask { try await body(running) }
            group.addTask { try await self.obey(context, running) }
            if let timeout { group.addTask { try await self.watch(running, timeout) } }
            while let next = try await group.next() {
                guard let end = next else { continue }
                group.cancelAll()
                return end
            }
            throw CancellationError()
        }
    }

    /// Ends the program when its work is to stop: asks it, and kills it a while later, or when its lock is lost by then.
    private func obey(_ context: ClaimContext, _ running: Running) async throws -> End? {
        var sent: Int32?
        var killAt: ContinuousClock.Instant?
        while true {
            await context.waitForStop(atMost: killAt.map { ContinuousClock.now.duration(to: $0) })
            try Task.checkCancellation()
            guard let reason = context.stopReason else { continue }
            let isLate = reason == .lockLost && sent != nil || killAt.map { $0 <= .now } ?? false
            let signal = isLate ? SIGKILL : context.stopSignal.map(Int32.init) ?? SIGTERM
            if signal != sent { running.send(signal) }
            if isLate { return nil }
            sent = signal
            // At the soft limit it has the time until its lock is lost.
            if reason != .timeLimit, killAt == nil { killAt = .now + killAfter }
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
        let how =
            switch status {
            case .exited(let code): "exit code \(code)"
            case .signaled(let signal): "signal \(signal)"
            }
        switch limit {
        case .command:
            let limit = timeout.map { Span.text($0) } ?? "its time"
            return TaskFailure(type: "timeout", message: "ran longer than \(limit)", backtrace: lines)
        case .soft: return TaskFailure(type: "softTimeout", message: "\(how) after the soft limit", backtrace: lines)
        case nil: return TaskFailure(type: "exit", message: how, backtrace: lines)
        }
    }
}
