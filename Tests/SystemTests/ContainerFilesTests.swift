import BelayTestKit
import Foundation
import Testing

/// Holds Dockerfile and docker-compose.yml against the package, without a container engine: every path, program,
/// sub-command, option, variable and Debian package that they name must exist.
@Suite struct ContainerFilesTests {
    let dockerfile: Dockerfile
    let compose: ComposeFile

    init() throws {
        dockerfile = try Dockerfile(PackageFile.text("Dockerfile"))
        compose = try ComposeFile(PackageFile.text("docker-compose.yml"))
    }

    // MARK: Dockerfile

    @Test func `every COPY source exists and passes .dockerignore`() throws {
        let allowed = try PackageFile.text(".dockerignore").split(separator: "\n").filter { $0.hasPrefix("!") }
            .map { String($0.dropFirst()) }
        let sources = dockerfile.copies.filter { $0.stage == nil }.flatMap(\.sources)
        #expect(sources.count >= 3)
        for source in sources {
            #expect(PackageFile.exists(source), "COPY \(source)")
            #expect(allowed.contains(source), "\(source) is not among the exceptions of .dockerignore")
        }
        // SwiftPM refuses a manifest whose targets have no folder.
        #expect(Set(["Package.swift", "Sources", "Tests", "lua"]).isSubset(of: sources))
    }

    @Test func `what the build makes is what the image runs`() throws {
        let manifest = try PackageFile.text("Package.swift")
        let build = try #require(dockerfile.stages.first)
        let command = try #require(build.commands.first { $0.starts(with: ["swift", "build"]) })
        let flag = try #require(command.firstIndex(of: "--product"))
        let product = command[flag + 1]
        #expect(manifest.contains(".executable(name: \"\(product)\""))
        #expect(command.contains("--static-swift-stdlib"), "the runtime image has no Swift")

        let copied = try #require(dockerfile.copies.first { $0.stage == build.name })
        #expect(copied.sources == ["\(build.workingFolder)/.build/release/\(product)"])
        let entry = try #require(dockerfile.runtime.words("ENTRYPOINT"))
        #expect(entry == [product])
        #expect(copied.destination == "/usr/local/bin/\(product)")
    }

    @Test func `the build stage has the Swift version that the manifest asks for`() throws {
        let line = try #require(try PackageFile.text("Package.swift").split(separator: "\n").first)
        let needed = try #require(Version(line))
        let build = try #require(dockerfile.stages.first?.image)
        let used = try #require(build.hasPrefix("swift:") ? Version(build[...]) : nil)
        #expect((used.major, used.minor) >= (needed.major, needed.minor))
    }

    @Test func `the runtime user is not root`() throws {
        let user = try #require(dockerfile.runtime.words("USER")?.first)
        let ids = user.split(separator: ":").compactMap { Int($0) }
        #expect(ids.count == 2 && ids.allSatisfy { $0 >= 1000 }, "USER \(user): two fixed numbers")
        let created = dockerfile.runtime.commands.contains { command in
            command.first == "useradd" && command.contains("--uid") && command.contains("\(ids.first ?? -1)")
        }
        #expect(created)
    }

    @Test func `images are pinned`() {
        let images = dockerfile.stages.map(\.image) + compose.services.filter { !$0.isBuiltHere }.map(\.image)
        #expect(images.count == 3)
        for image in images {
            let tag = image.split(separator: ":", maxSplits: 1).dropFirst().first ?? ""
            #expect(!tag.isEmpty && tag != "latest" && tag != "slim", "\(image) names no release")
            #expect(tag.contains("bookworm"), "\(image) is not built on the release that the others are built on")
        }
    }

    // MARK: docker-compose.yml

    @Test func `every sub-command and option of belay exists`() async throws {
        var calls = compose.services.filter(\.isBuiltHere).map { ($0.command, $0.mounts) }
        calls.append((try #require(dockerfile.runtime.words("CMD")), []))
        #expect(calls.count == 4)
        for (words, mounts) in calls {
            try await expectUsable(words, mounts: mounts)
        }
    }

    /// Asks the program itself: `belay help a b` prints the usage of the deepest sub-command that it knows.
    private func expectUsable(_ words: [String], mounts: [String]) async throws {
        let line = "belay \(words.joined(separator: " "))"
        let names = words.prefix { !$0.hasPrefix("-") }
        let output = try await BelayBinary.run(["help"] + names.filter { !$0.hasPrefix("/") })
        #expect(output.exitCode == 0, "\(line): \(output.standardError)")
        var help = output.standardOutput
        let usage = try #require(help.split(separator: "\n").first { $0.hasPrefix("USAGE: belay") }, "\(line): \(help)")
        let known = usage.split(separator: " ").dropFirst(2).prefix { !"<[-".contains($0.prefix(1)) }
        #expect(known.map(String.init) == names.filter { !$0.hasPrefix("/") }, "\(line), but: \(usage)")
        if let line = help.split(separator: "\n").first(where: { $0.contains("(default)") }),
            let standard = line.split(separator: " ").first
        {
            // Arguments and options go to the sub-command that is used when none is named.
            help += try await BelayBinary.run(["help"] + known.map(String.init) + [String(standard)]).standardOutput
        }
        for name in names where name.hasPrefix("/") {
            #expect(mounts.contains(name), "\(line): nothing is mounted at \(name)")
            #expect(help.contains("ARGUMENTS:"), "\(line) takes no argument")
        }
        for option in words where option.hasPrefix("-") && option != "--help" {
            let name = option.split(separator: "=").first.map(String.init) ?? option
            let listed = help.split { " ,\n[]".contains($0) }.contains { $0 == name }
            #expect(listed, "\(line): no option \(name)")
        }
    }

    @Test func `every variable is one that the sources read`() throws {
        let sources = try PackageFile.swiftSources()
        let inCompose = compose.services.filter(\.isBuiltHere).flatMap { $0.environment.keys }
        let inDockerfile = dockerfile.runtime.instructions.filter { $0.keyword == "ENV" }
            .flatMap { $0.text.split(separator: " ") }.compactMap { $0.split(separator: "=").first.map(String.init) }
        let names = Set(inCompose + inDockerfile)
        #expect(names.contains("REDIS_URL"))
        for name in names {
            #expect(sources.contains("\"\(name)\""), "no source reads \(name)")
        }
    }

    @Test func `services meet at the Redis that compose starts`() throws {
        let redis = try #require(compose.services.first { $0.name == "redis" })
        #expect(redis.hasHealthCheck)
        let belay = compose.services.filter(\.isBuiltHere)
        #expect(belay.map(\.name).sorted() == ["demo", "reaper", "worker"])
        for service in belay {
            #expect(service.environment["REDIS_URL"] == "redis://\(redis.name):6379")
            #expect(service.waitsForHealthy.contains(redis.name))
            #expect(service.hasInit, "\(service.name): children of its children need somebody to collect them")
        }
        for service in compose.services {
            for volume in service.volumes {
                let source = String(volume.split(separator: ":")[0])
                if source.hasPrefix("./") {
                    #expect(PackageFile.exists(String(source.dropFirst(2))), "\(service.name): \(source)")
                    #expect(volume.hasSuffix(":ro"), "\(service.name) could change \(source)")
                } else {
                    #expect(compose.volumes.contains(source), "\(service.name): no volume \(source)")
                }
            }
        }
    }

    @Test func `Redis keeps what it was told: append-only, never evicting`() async throws {
        let redis = try #require(compose.services.first { $0.name == "redis" })
        var options = redis.command
        #expect(options.first == "redis-server")
        options.removeFirst()
        var pairs: [String: String] = [:]
        for index in stride(from: 0, to: options.count - 1, by: 2) { pairs[options[index]] = options[index + 1] }
        #expect(pairs["--appendonly"] == "yes")
        #expect(pairs["--maxmemory-policy"] == "noeviction")
        #expect(redis.mounts.contains("/data"), "the folder in which the image keeps its data")
        // A real server takes these very options.
        try await withPrivateRedisServer(PrivateRedisServer.Options(arguments: options)) { server in
            #expect(FileManager.default.fileExists(atPath: server.folder + "/appendonlydir"))
        }
    }

    // MARK: Debian

    @Test(.enabled(if: Debian.isBookwormWithLists, "apt with the package lists of Debian 12 is not on this system"))
    func `every Debian package of the Dockerfile exists`() async throws {
        let packages = dockerfile.stages.flatMap(\.debianPackages)
        #expect(packages.contains("libhiredis-dev") && packages.contains("libhiredis0.14"))
        let policy = try await BelayBinary.run("apt-cache", ["policy"] + packages, environment: ["LC_ALL": "C"])
        // "name:", then "  Installed: …", "  Candidate: version"; a name that apt does not know is left out.
        let lines = policy.standardOutput.split(separator: "\n")
        for package in packages {
            let candidate = lines.drop { $0 != "\(package):" }.dropFirst().prefix { $0.hasPrefix(" ") }
                .first { $0.contains("Candidate:") }
            #expect(candidate.map { !$0.contains("(none)") } == true, "apt knows no package \(package)")
        }
    }
}

// MARK: - What the files say

/// The instructions of a Dockerfile, by stage.
struct Dockerfile {
    struct Instruction {
        let keyword: String
        let text: String
    }

    struct Stage {
        let image: String
        let name: String?
        var instructions: [Instruction] = []

        var workingFolder: String { instructions.last { $0.keyword == "WORKDIR" }?.text ?? "/" }
        /// The shell commands of all RUN instructions, each as its words.
        var commands: [[String]] {
            instructions.filter { $0.keyword == "RUN" }
                .flatMap { $0.text.replacing("&&", with: "\u{0}").split(separator: "\u{0}") }
                .map { $0.split(separator: " ").map(String.init) }
        }
        var debianPackages: [String] {
            commands.filter { $0.starts(with: ["apt-get", "install"]) }
                .flatMap { $0.dropFirst(2).filter { !$0.hasPrefix("-") } }
        }

        /// The words of the last instruction with this keyword, given as a JSON list or as plain words.
        func words(_ keyword: String) -> [String]? {
            instructions.last { $0.keyword == keyword }.map { instruction in
                let list = try? JSONDecoder().decode([String].self, from: Data(instruction.text.utf8))
                return list ?? instruction.text.split(separator: " ").map(String.init)
            }
        }
    }

    private(set) var stages: [Stage] = []
    /// The stage that the image is made of.
    var runtime: Stage { stages[stages.count - 1] }
    var copies: [(stage: String?, sources: [String], destination: String)] {
        stages.flatMap(\.instructions).filter { $0.keyword == "COPY" }.map { instruction in
            var words = instruction.text.split(separator: " ").map(String.init)
            let stage = words.first { $0.hasPrefix("--from=") }.map { String($0.dropFirst("--from=".count)) }
            words.removeAll { $0.hasPrefix("--") }
            return (stage, Array(words.dropLast()), words.last ?? "")
        }
    }

    init(_ text: String) throws {
        let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }.joined(separator: "\n")
        for line in lines.replacing("\\\n", with: " ").split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw ParseError(line: String(line)) }
            if parts[0] == "FROM" {
                let words = parts[1].split(separator: " ").map(String.init)
                stages.append(Stage(image: words[0], name: words.count == 3 && words[1] == "AS" ? words[2] : nil))
            } else {
                guard !stages.isEmpty else { throw ParseError(line: String(line)) }
                stages[stages.count - 1].instructions.append(Instruction(keyword: parts[0], text: parts[1]))
            }
        }
        guard !stages.isEmpty else { throw ParseError(line: "no FROM") }
    }
}

/// The services of a docker-compose.yml.
struct ComposeFile {
    struct Service {
        let name: String
        let node: YAML

        var image: String { node["image"]?.scalar ?? "" }
        var isBuiltHere: Bool { node["build"]?.scalar == "." }
        var command: [String] { node["command"]?.list ?? [] }
        var environment: [String: String] { node["environment"]?.scalars ?? [:] }
        var volumes: [String] { node["volumes"]?.list ?? [] }
        /// The paths inside the container at which something is mounted.
        var mounts: [String] { volumes.map { String($0.split(separator: ":")[1]) } }
        var hasHealthCheck: Bool { !(node["healthcheck"]?["test"]?.list ?? []).isEmpty }
        var hasInit: Bool { node["init"]?.scalar == "true" }
        var waitsForHealthy: [String] {
            (node["depends_on"]?.map ?? []).filter { $0.value["condition"]?.scalar == "service_healthy" }.map(\.key)
        }
    }

    let services: [Service]
    let volumes: [String]

    init(_ text: String) throws {
        let root = try YAML(text)
        services = (root["services"]?.map ?? []).map { Service(name: $0.key, node: $0.value) }
        volumes = (root["volumes"]?.map ?? []).map(\.key)
        guard !services.isEmpty else { throw ParseError(line: "no services") }
    }
}

/// The part of YAML that docker-compose.yml uses; everything else is an error, never a guess.
///
/// Maps and lists by indentation, plain and quoted scalars, lists in brackets, the empty map in braces, comments.
indirect enum YAML {
    case scalar(String)
    case list([YAML])
    case map([(key: String, value: YAML)])

    var scalar: String? { if case .scalar(let text) = self { text } else { nil } }
    var list: [String]? { if case .list(let items) = self { items.compactMap(\.scalar) } else { nil } }
    var map: [(key: String, value: YAML)]? { if case .map(let pairs) = self { pairs } else { nil } }
    var scalars: [String: String]? {
        map.map { pairs in pairs.reduce(into: [:]) { $0[$1.key] = $1.value.scalar } }
    }
    subscript(key: String) -> YAML? { map?.first { $0.key == key }?.value }

    init(_ text: String) throws {
        var lines: [(indent: Int, text: String)] = []
        for line in text.split(separator: "\n") {
            let content = line.drop { $0 == " " }
            if content.isEmpty || content.hasPrefix("#") { continue }
            guard !content.contains(" #"), !content.contains("\t") else { throw ParseError(line: String(line)) }
            lines.append((line.count - content.count, String(content)))
        }
        var rest = lines[...]
        self = try Self.block(&rest, indent: 0)
        if let line = rest.first { throw ParseError(line: line.text) }
    }

    private static func block(_ lines: inout ArraySlice<(indent: Int, text: String)>, indent: Int) throws -> YAML {
        var items: [YAML] = []
        var pairs: [(key: String, value: YAML)] = []
        while let line = lines.first, line.indent == indent {
            lines.removeFirst()
            if line.text.hasPrefix("- ") {
                items.append(try inline(line.text.dropFirst(2), line.text))
                continue
            }
            guard let colon = line.text.firstIndex(of: ":"), !line.text.hasPrefix("\"") else {
                throw ParseError(line: line.text)
            }
            let key = String(line.text[..<colon])
            let value = line.text[line.text.index(after: colon)...].drop { $0 == " " }
            if pairs.contains(where: { $0.key == key }) { throw ParseError(line: line.text) }
            if !value.isEmpty {
                pairs.append((key, try inline(value, line.text)))
            } else {
                guard let next = lines.first, next.indent > indent else { throw ParseError(line: line.text) }
                pairs.append((key, try block(&lines, indent: next.indent)))
            }
        }
        if let line = lines.first, line.indent > indent { throw ParseError(line: line.text) }
        guard items.isEmpty != pairs.isEmpty else { throw ParseError(line: "list and map mixed, or nothing") }
        return items.isEmpty ? .map(pairs) : .list(items)
    }

    private static func inline(_ text: Substring, _ line: String) throws -> YAML {
        if text == "{}" { return .map([]) }
        if text.hasPrefix("[") || text.hasPrefix("\"") {
            // Brackets and double quotes as compose files use them are JSON.
            if let list = try? JSONDecoder().decode([String].self, from: Data(text.utf8)) {
                return .list(list.map { .scalar($0) })
            }
            guard let words = try? JSONDecoder().decode([String].self, from: Data("[\(text)]".utf8)), words.count == 1
            else { throw ParseError(line: line) }
            return .scalar(words[0])
        }
        guard let first = text.first, !"&*|>'{!%@`".contains(first), !text.contains(": ") else {
            throw ParseError(line: line)
        }
        return .scalar(String(text))
    }
}

/// A line that the parsers here do not understand.
struct ParseError: Error {
    let line: String
}

private struct Version {
    let major: Int
    let minor: Int

    /// The first `number.number` in the text.
    init?(_ text: Substring) {
        guard let match = text.firstMatch(of: /(\d+)\.(\d+)/), let major = Int(match.1), let minor = Int(match.2)
        else { return nil }
        (self.major, self.minor) = (major, minor)
    }
}

private enum PackageFile {
    static func url(_ path: String) -> URL { BelayBinary.packageFolder.appending(path: path) }
    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: url(path).path) }
    static func text(_ path: String) throws -> String { try String(contentsOf: url(path), encoding: .utf8) }
    static func swiftSources() throws -> String {
        let paths = try FileManager.default.subpathsOfDirectory(atPath: url("Sources").path)
        return try paths.filter { $0.hasSuffix(".swift") }.map { try text("Sources/" + $0) }.joined()
    }
}

private enum Debian {
    /// Whether this is the release that the images are built on, and apt knows its packages.
    static let isBookwormWithLists: Bool = {
        let release = (try? String(contentsOfFile: "/etc/os-release", encoding: .utf8)) ?? ""
        let lists = (try? FileManager.default.contentsOfDirectory(atPath: "/var/lib/apt/lists")) ?? []
        return release.contains("VERSION_CODENAME=bookworm")
            && FileManager.default.isExecutableFile(atPath: "/usr/bin/apt-cache")
            && lists.contains { $0.contains("_Packages") }
    }()
}
