// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "belay-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "belay", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .executableTarget(
            name: "BelayBenchmarks",
            dependencies: [
                .product(name: "Belay", package: "belay"),
                .product(name: "BelayTestKit", package: "belay"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ]
        )
    ],
    swiftLanguageModes: [.v6]
)
