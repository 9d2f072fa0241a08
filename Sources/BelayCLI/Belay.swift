import ArgumentParser
import BelayService

/// The command `belay`: every sub-command is a file in `Commands/`.
@main
struct BelayCommand: AsyncParsableCommand {
    static let version = ServiceVersion.number

    static let configuration = CommandConfiguration(
        commandName: "belay",
        abstract: "Holds the lock, catches the fall, tries again: tasks that many hosts work on together, in Redis.",
        discussion: """
            FIRST STEPS
              belay run --id nightly --lock 1h --retry 3 -- ./backup.sh
                  one host runs it, with retries and history
              belay kinds define mail
              echo '{"to":"a@b.c"}' | belay enqueue --kind mail -
              belay work --kind mail --exec ./send-mail
                  any program is a worker
              belay dev     Redis and reaper for a laptop
              belay demo    see it all on real files

            ENVIRONMENT
              REDIS_URL        the server, unless --redis says it; without both, a
                               private redis-server of this user is started on demand
                               and stays (end it with 'belay dev --stop')
              BELAY_NAMESPACE  the tracker, unless --namespace says it; else 'belay'
              BELAY_PARTITIONS how many partitions it has, unless --partitions says it; else as created, 1 when it is new
              BELAY_ACTOR      who acts, unless --actor says it; else user@host
              BELAY_TASK_ID, BELAY_TOKEN, BELAY_FENCE
                               the lock of commands that hold one, where none is given
              BELAY_STATE_DIR  where the private redis-server keeps its data
              LOG_LEVEL        trace, debug, info, notice, warning, error, critical
              LOG_FORMAT=json  log lines as JSON
              NO_COLOR         no colours

            OUTPUT
              Data goes to stdout, messages and logs to stderr. With --json, each line
              of stdout is one JSON object: names in lowerCamelCase, times in RFC 3339
              with microseconds, durations in seconds. Payloads and results are
              {"contentType", "text"}, or {"contentType", "base64"} when they are not
              UTF-8; they are text, byte for byte, also when they hold JSON:
              jq '.result.text | fromjson'. Errors are {"error": {"code", "message"}}
              on stderr.

            DURATIONS
              250ms, 5s, 1m30s, 2h, 1d. A bare number other than 0 is refused.

            EXIT CODES
              0    done; also a worker, reaper, dev or events --follow ended by SIGTERM or SIGINT
              1    failed: the task is not in a state to do that, or its work failed
              64   usage, or a value that is not allowed
              65   bad data: too large, or not what its content type says
              66   not found: task, parent, kind, file or folder
              69   Redis is unavailable or unsuitable
              70   a bug of belay
              73   cannot create: the id or the content is taken, the tracker is full
              75   try again: locked by another, paused, waiting for parents, nothing due,
                   lock lost, queue full
              77   not allowed: user or password
              78   bad configuration: the tracker is of a newer belay, or the kind
                   has another policy
              124  time-out
              130  ended by SIGINT, 143 by SIGTERM
              'belay run' passes on the exit code of its program (128 + n when
              signal n ended it).
            """,
        version: version,
        groupedSubcommands: [
            CommandGroup(name: "Running", subcommands: [Run.self, Work.self, Reap.self, Dev.self]),
            CommandGroup(
                name: "Tasks",
                subcommands: [
                    Enqueue.self, Get.self, List.self, CountTags.self, ShowParents.self, ExplainTask.self,
                    Attempts.self, ShowLog.self, Peek.self,
                    Queue.self,
                ]
            ),
            CommandGroup(
                name: "Operating",
                subcommands: [
                    Stats.self, ShowWorkers.self, ShowEvents.self, Retry.self, Cancel.self, Flow.self,
                    SegmentsCommand.self, PauseTasks.self,
                    ResumeTasks.self, IgnoreTasks.self, PrioritiseTasks.self,
                    DeleteTasks.self, Purge.self, Kinds.self, HooksCommand.self, Celery.self,
                ]
            ),
            CommandGroup(
                name: "Holding a lock",
                subcommands: [
                    ClaimTasks.self, RenewLock.self, TellProgress.self, SaveData.self, Respond.self, CompleteTask.self,
                    FailTask.self, ReleaseTask.self, SnoozeTask.self,
                ]
            ),
            CommandGroup(name: "Service", subcommands: [Serve.self, API.self, Call.self, Verbs.self]),
            CommandGroup(name: "Demo", subcommands: [Demo.self]),
        ]
    )

    static func main() async {
        Leash.runIfAsked(CommandLine.arguments)
        let given = Array(CommandLine.arguments.dropFirst())
        let arguments = CommandWords.reordered(given, root: self)
        do {
            var command = try parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            Failure.end(error, of: self, isJSON: CommandWords.asksForJSON(given))
        }
    }
}

/// The words of the command line before they are parsed.
enum CommandWords {
    private static let flags: Set<String> = ["--json", "--no-color"]
    private static let options: Set<String> = ["--redis", "--namespace", "--partitions", "--actor", "--log-level"]

    /// Moves global options that stand before the sub-command behind it, where they are declared.
    static func reordered(_ arguments: [String], root: any ParsableCommand.Type) -> [String] {
        var moved: [String] = []
        var rest = arguments[...]
        while let word = rest.first, word.hasPrefix("--") {
            let name = word.prefix { $0 != "=" }
            if flags.contains(word) || options.contains(String(name)) && name.count < word.count {
                moved.append(rest.removeFirst())
            } else if options.contains(word), rest.count > 1 {
                moved += [rest.removeFirst(), rest.removeFirst()]
            } else {
                return arguments
            }
        }
        var commands: [String] = []
        var level = root
        while let word = rest.first, let next = subcommand(word, of: level) {
            commands.append(rest.removeFirst())
            level = next
        }
        // Without a sub-command the rest is wrong in any case, and the error should be about it.
        return commands.isEmpty && !rest.isEmpty ? Array(rest) : commands + moved + rest
    }

    private static func subcommand(_ name: String, of parent: any ParsableCommand.Type) -> (any ParsableCommand.Type)? {
        let configuration = parent.configuration
        let all = configuration.subcommands + configuration.groupedSubcommands.flatMap(\.subcommands)
        return all.first { $0.configuration.commandName == name }
    }

    /// Whether errors are wanted as JSON, also those of parsing.
    static func asksForJSON(_ arguments: [String]) -> Bool { arguments.prefix { $0 != "--" }.contains("--json") }
}
