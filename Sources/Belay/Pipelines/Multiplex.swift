/// What a task of a segment made, as the segments after it see it.
public struct Product: Sendable, Hashable {
    /// The segment's name.
    public var segment: String
    /// The task that made it.
    public var task: TaskID
    /// What it made.
    public var body: Body

    /// A product from its parts.
    public init(segment: String, task: TaskID, body: Body) {
        self.segment = segment
        self.task = task
        self.body = body
    }

    /// The product as a Swift value.
    /// - Throws: ``TrackerError`` (`payload`) naming the type.
    public func decoded<T: Decodable>(as type: T.Type = T.self) throws(TrackerError) -> T { try body.decoded() }
}

/// How the products of a segment's parents become the inputs of its tasks.
public struct Multiplex: Sendable, CustomStringConvertible {
    indirect enum Rule: Sendable {
        case cross, union, zip, gather
        case group(@Sendable (Product) throws -> String)
        case only(Rule, @Sendable ([Product]) throws -> Bool)
    }

    let rule: Rule

    /// A rule of which only the name matters, for a segment that is registered for others.
    package init(named name: String) { self.init(rule: .cross, description: name) }

    private init(rule: Rule, description: String) {
        self.rule = rule
        self.description = description
    }

    /// The rule's name; it goes into the segment's key, so a function that changes needs another name, or the segment
    /// another version.
    public let description: String

    /// One task for each combination of one product of each parent. The default.
    public static let crossProduct = Multiplex(rule: .cross, description: "cross")
    /// One task for each product of any parent.
    public static let union = Multiplex(rule: .union, description: "union")
    /// One task for the first products of all parents, one for the second ones, and so on, in the order of the parents'
    /// inputs; left out where one is missing.
    public static let zip = Multiplex(rule: .zip, description: "zip")
    /// One task for all products of all parents.
    public static let gather = Multiplex(rule: .gather, description: "gather")

    /// One task for all products with the same key.
    /// - Parameters:
    ///   - name: What the function is called; all names of a rule together at most 64 bytes.
    ///   - key: The key of a product, any text. What it throws ends the run.
    public static func group(by name: String, _ key: @escaping @Sendable (Product) throws -> String) -> Multiplex {
        Multiplex(rule: .group(key), description: "group \(name)")
    }

    /// The same inputs, but only those for which a condition holds.
    /// - Parameters:
    ///   - name: What the condition is called.
    ///   - condition: Whether to make a task of these products.
    public func only(where name: String, _ condition: @escaping @Sendable ([Product]) throws -> Bool) -> Multiplex {
        Multiplex(rule: .only(rule, condition), description: "\(description) where \(name)")
    }

    /// Whether more products only add inputs, and change none of those that there are.
    var isIncremental: Bool {
        func isIncremental(_ rule: Rule) -> Bool {
            switch rule {
            case .cross, .union, .zip: true
            case .gather, .group: false
            case .only(let rule, _): isIncremental(rule)
            }
        }
        return isIncremental(rule)
    }

    /// One input: the products that a task works on, and the key of its group.
    struct Input {
        var products: [Product]
        var group: String?
    }

    /// The inputs of a segment.
    /// - Parameters:
    ///   - parents: The products of each parent in the order of its tasks; nil where a task has none (yet).
    ///   - segment: For errors.
    ///   - limit: The most inputs.
    /// - Throws: ``TrackerError`` (`tooLarge`) naming the number; what the user's functions throw.
    func inputs(
        of parents: [[Product?]],
        segment: String,
        limit: Int = Limits.products,
        combinations: Int = Limits.combinations
    ) throws -> [Input] {
        var inputs: [Input] = []
        var looked = 0
        func take(_ input: Input, _ conditions: [@Sendable ([Product]) throws -> Bool]) throws {
            looked += 1
            for condition in conditions where try !condition(input.products) { return }
            inputs.append(input)
        }
        var (rule, conditions) = (rule, [@Sendable ([Product]) throws -> Bool]())
        while case .only(let inner, let condition) = rule {
            rule = inner
            conditions.insert(condition, at: 0)
        }
        let known = parents.map { $0.compactMap(\.self) }
        if case .cross = rule {
            // Counted before any is made: that is the point of a limit.
            var count = 1
            for products in known {
                let (next, isOver) = count.multipliedReportingOverflow(by: products.count)
                count = isOver ? .max : next
            }
            if conditions.isEmpty || count > combinations {
                try Self.check(count, segment, limit: conditions.isEmpty ? limit : combinations)
            }
        }
        switch rule {
        case .cross: try Self.cross(known) { try take(Input(products: $0), conditions) }
        case .union: for product in known.joined() { try take(Input(products: [product]), conditions) }
        case .zip:
            for row in 0..<(parents.map(\.count).min() ?? 0) {
                let products = parents.compactMap { $0[row] }
                if products.count == parents.count { try take(Input(products: products), conditions) }
            }
        case .gather:
            let all = Array(known.joined())
            if !all.isEmpty { try take(Input(products: all), conditions) }
        case .group(let key):
            var groups: [String: [Product]] = [:]
            for product in known.joined() { groups[try key(product), default: []].append(product) }
            for (group, products) in groups.sorted(by: { $0.key < $1.key }) {
                try take(Input(products: products, group: group), conditions)
            }
        case .only: break
        }
        try Self.check(inputs.count, segment, limit: limit)
        return inputs
    }

    private static func check(_ count: Int, _ segment: String, limit: Int) throws(TrackerError) {
        guard count > limit else { return }
        let number = count == .max ? "too many to count" : "\(count)"
        throw TrackerError(
            .tooLarge,
            "segment “\(segment)” would have \(number) tasks; allowed: \(limit). Nothing of it was created; narrow its rule"
        )
    }

    /// Calls `body` with each combination, the last parent's products changing first.
    private static func cross(_ parents: [[Product]], _ body: ([Product]) throws -> Void) throws {
        guard parents.allSatisfy({ !$0.isEmpty }), !parents.isEmpty else { return }
        var places = [Int](repeating: 0, count: parents.count)
        while true {
            try body(places.indices.map { parents[$0][places[$0]] })
            var turning = places.count - 1
            while turning >= 0, places[turning] == parents[turning].count - 1 {
                places[turning] = 0
                turning -= 1
            }
            guard turning >= 0 else { return }
            places[turning] += 1
        }
    }
}
