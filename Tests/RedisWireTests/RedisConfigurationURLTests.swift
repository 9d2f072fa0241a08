import Testing

@testable import RedisWire

@Suite("A URL")
struct RedisConfigurationURLTests {
    struct Good: Sendable, CustomTestStringConvertible {
        let url: String
        let endpoint: RedisConfiguration.Endpoint
        var username: String?
        var password: String?
        var database = 0
        var name: String?
        var hasTLS = false
        var isCluster = false
        var otherSeeds: [RedisConfiguration.Endpoint] = []
        var testDescription: String { url }
    }

    private static let good: [Good] = [
        Good(url: "redis://localhost", endpoint: .tcp(host: "localhost", port: 6379)),
        Good(url: "redis://localhost/", endpoint: .tcp(host: "localhost", port: 6379)),
        Good(url: "REDIS://h:1", endpoint: .tcp(host: "h", port: 1)),
        Good(url: "redis://10.0.0.1:65535/15", endpoint: .tcp(host: "10.0.0.1", port: 65535), database: 15),
        Good(url: "redis://[::1]:7000/2", endpoint: .tcp(host: "::1", port: 7000), database: 2),
        Good(url: "redis://[fe80::1]", endpoint: .tcp(host: "fe80::1", port: 6379)),
        Good(url: "redis://:secret@h", endpoint: .tcp(host: "h", port: 6379), password: "secret"),
        Good(url: "redis://u:p@h:1/3", endpoint: .tcp(host: "h", port: 1), username: "u", password: "p", database: 3),
        Good(
            url: "redis://us%40er:p%3Aa%2Fs%25@h",
            endpoint: .tcp(host: "h", port: 6379),
            username: "us@er",
            password: "p:a/s%"
        ),
        Good(url: "redis://u:a@b/c:d@h", endpoint: .tcp(host: "h", port: 6379), username: "u", password: "a@b/c:d"),
        Good(url: "redis://@h", endpoint: .tcp(host: "h", port: 6379)),
        Good(url: "redis://h?db=4&client_name=me", endpoint: .tcp(host: "h", port: 6379), database: 4, name: "me"),
        Good(url: "redis://h/1?db=4", endpoint: .tcp(host: "h", port: 6379), database: 4),
        Good(url: "rediss://h:6380/1", endpoint: .tcp(host: "h", port: 6380), database: 1, hasTLS: true),
        Good(url: "cluster://h", endpoint: .tcp(host: "h", port: 6379), isCluster: true),
        Good(url: "cluster://h:1/0?db=0", endpoint: .tcp(host: "h", port: 1), isCluster: true),
        Good(
            url: "cluster://u:a,b@h:1,[::1],c:3?client_name=me",
            endpoint: .tcp(host: "h", port: 1),
            username: "u",
            password: "a,b",
            name: "me",
            isCluster: true,
            otherSeeds: [.tcp(host: "::1", port: 6379), .tcp(host: "c", port: 3)]
        ),
        Good(
            url: "clusters://a,b",
            endpoint: .tcp(host: "a", port: 6379),
            hasTLS: true,
            isCluster: true,
            otherSeeds: [.tcp(host: "b", port: 6379)]
        ),
        Good(
            url: "redis://a:1,b:2/",
            endpoint: .tcp(host: "a", port: 1),
            isCluster: true,
            otherSeeds: [.tcp(host: "b", port: 2)]
        ),
        Good(
            url: "rediss://a,b",
            endpoint: .tcp(host: "a", port: 6379),
            hasTLS: true,
            isCluster: true,
            otherSeeds: [.tcp(host: "b", port: 6379)]
        ),
        Good(url: "unix:///run/redis.sock", endpoint: .unix(path: "/run/redis.sock")),
        Good(
            url: "unix://u:p@/run/redis.sock?db=7",
            endpoint: .unix(path: "/run/redis.sock"),
            username: "u",
            password: "p",
            database: 7
        ),
        Good(url: "redis+unix:///a%20b", endpoint: .unix(path: "/a b")),
        Good(url: "redis+socket:///a/b?client_name=x", endpoint: .unix(path: "/a/b"), name: "x"),
    ]

    @Test("is read into a configuration", arguments: good)
    func goodURLs(_ good: Good) throws {
        let configuration = try RedisConfiguration(url: good.url)
        #expect(configuration.endpoint == good.endpoint)
        #expect(configuration.username == good.username)
        #expect(configuration.password == good.password)
        #expect(configuration.database == good.database)
        #expect(configuration.clientName == good.name)
        #expect((configuration.tls != nil) == good.hasTLS)
        #expect(configuration.isCluster == good.isCluster)
        #expect(configuration.otherSeeds == good.otherSeeds)
        #expect(configuration.seeds == [good.endpoint] + good.otherSeeds)
    }

    @Test(
        "that is wrong is refused by the name of the wrong part",
        arguments: [
            ("", "scheme"), ("localhost:6379", "scheme"), ("http://h", "'http'"), ("redis://", "host"),
            ("redis://:1", "host"), ("redis://h:", "port"), ("redis://h:0", "port"), ("redis://h:65536", "port"),
            ("redis://h:12x", "port"), ("redis://h/x", "path"), ("redis://h/-1", "path"), ("redis://h/1/2", "path"),
            ("redis://h?db=x", "'db'"), ("redis://h?db=", "'db'"), ("redis://h?what=1", "'what'"),
            ("redis://h?db", "'db'"), ("redis://h?client_name=a%20b", "client name"), ("redis://::1", "brackets"),
            ("redis://[::1", "bracket"), ("redis://[::1]7", "port"), ("redis://h%zz", "host"), ("redis://h%00", "host"),
            ("redis://u@h", "password"), ("redis://u:@h", "password"), ("redis://h#x", "'#'"),
            ("redis://h?ca_file=/x", "rediss"), ("rediss://h?insecure=maybe", "'insecure'"), ("unix://", "path"),
            ("unix:///", "path"), ("unix://relative/path", "path"), ("redis://:%ff@h", "password"),
            ("cluster://", "host"), ("cluster://a,", "host"), ("cluster://a,,b", "host"), ("cluster://a,b:x", "port"),
            ("cluster://a/1", "database"), ("cluster://a?db=2", "database"), ("redis://a,b/3", "database"),
            ("cluster://a?ca_file=/x", "clusters"), ("cluster://u@a,b", "password"), ("cluster://a,::1", "brackets"),
            ("unix://a,b/x", "path"), ("cluster:///run/redis.sock", "host"),
        ]
    )
    func badURLs(_ url: String, _ part: String) {
        let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: url) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.isRetriable == false)
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
    }

    @Test(
        "that is wrong never shows its password",
        arguments: [
            "redis://user:s3cret@h:x", "redis://user:s3cret%@h", "redis://user:s3cret@h?x=1", "redis://user:s3cret@",
            "redis://:s3cret@h/x", "http://user:s3cret@h", "unix://user:s3cret@nopath", "redis://user:s3cret@h#s3cret",
            "rediss://user:s3cret@h?insecure=s3cret", "cluster://user:s3cret@a,b:x", "cluster://user:s3cret@a,b/1",
        ]
    )
    func secrets(_ url: String) {
        let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: url) }
        #expect(error.map { "\($0)\($0.message)" }?.contains("s3cret") == false)
    }

    @Test("sets the options of TLS")
    func tlsOptions() throws {
        let url = "rediss://h?ca_file=/ca.pem&cert_file=/c.pem&key_file=/k.pem&insecure=true"
        let tls = try RedisConfiguration(url: url).tls
        #expect(tls?.trustRootsFile == "/ca.pem")
        #expect(tls?.certificateFile == "/c.pem")
        #expect(tls?.privateKeyFile == "/k.pem")
        #expect(tls?.isInsecure == true)
    }

    @Test("is not the only way to a cluster")
    func withoutURL() throws {
        let other = RedisConfiguration.Endpoint.tcp(host: "b", port: 2)
        let configuration = RedisConfiguration(cluster: .tcp(host: "a", port: 1), otherSeeds: [other])
        try configuration.validate()
        #expect(configuration.isCluster)
        var wrong = configuration
        wrong.isCluster = false
        #expect(throws: RedisError.self) { try wrong.validate() }
        wrong = configuration
        wrong.otherSeeds = [.unix(path: "/x")]
        #expect(throws: RedisError.self) { try wrong.validate() }
    }

    @Test("leads to a configuration that prints without its password")
    func printing() throws {
        let configuration = try RedisConfiguration(url: "redis://user:s3cret@h:1/2")
        #expect("\(configuration)" == "user@h:1/2")
        #expect("\(try RedisConfiguration(url: "clusters://u:s3cret@a:1,b"))" == "cluster:tls:u@a:1,b:6379")
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!dumped.contains("s3cret"))
        #expect(!String(reflecting: configuration).contains("s3cret"))
    }
}
