import Testing

@testable import Belay

@Suite("Multiplexing")
struct MultiplexTests {
    private static func product(_ text: String) -> Product {
        Product(segment: "s", task: TaskID(trusted: text), body: Body(text: text))
    }

    private static func inputs(_ rule: Multiplex, _ parents: [[String?]], limit: Int = 100) throws -> [String] {
        let products = parents.map { $0.map { $0.map(product) } }
        return try rule.inputs(of: products, segment: "x", limit: limit, combinations: 1000).map { input in
            input.products.map(\.body.text).joined() + (input.group.map { "|\($0)" } ?? "")
        }
    }

    @Test("crosses the products of the parents, the last one's changing first")
    func cross() throws {
        #expect(
            try Self.inputs(.crossProduct, [["a", "b"], ["1", "2", "3"]]) == ["a1", "a2", "a3", "b1", "b2", "b3"]
        )
        #expect(try Self.inputs(.crossProduct, [["a", nil, "b"], ["1"], ["x"]]) == ["a1x", "b1x"])
        #expect(try Self.inputs(.crossProduct, [["a"], []]) == [])
        #expect(try Self.inputs(.crossProduct, [["a", nil]]) == ["a"])
    }

    @Test("unites, zips, gathers and groups; what failed is missing")
    func others() throws {
        let parents: [[String?]] = [["a1", nil, "c3"], ["x1", "y2", "z3", "w4"]]
        #expect(try Self.inputs(.union, parents) == ["a1", "c3", "x1", "y2", "z3", "w4"])
        #expect(try Self.inputs(.zip, parents) == ["a1x1", "c3z3"])
        #expect(try Self.inputs(.gather, parents) == ["a1c3x1y2z3w4"])
        #expect(try Self.inputs(.gather, [[nil], []]) == [])
        let last = Multiplex.group(by: "digit") { String($0.body.text.suffix(1)) }
        #expect(try Self.inputs(last, parents) == ["a1x1|1", "y2|2", "c3z3|3", "w4|4"])
    }

    @Test("leaves out inputs for which a condition does not hold")
    func conditions() throws {
        let ordered = Multiplex.crossProduct.only(where: "ascending") { $0[0].body.text < $0[1].body.text }
        let parents = [["1", "2", "3"], ["1", "2", "3"]]
        #expect(try Self.inputs(ordered, parents) == ["12", "13", "23"])
        let even = ordered.only(where: "odd sum") { (Int($0[0].body.text) ?? 0) % 2 != (Int($0[1].body.text) ?? 0) % 2 }
        #expect(try Self.inputs(even, parents) == ["12", "23"])
        #expect(even.description == "cross where ascending where odd sum")
        #expect(Multiplex.gather.only(where: "x") { _ in true }.isIncremental == false)
        #expect(even.isIncremental)
    }

    @Test("refuses too many tasks before any is made, naming the number")
    func limits() throws {
        let many = (0..<50).map { "\($0)" }
        let error = #expect(throws: TrackerError.self) { try Self.inputs(.crossProduct, [many, many]) }
        #expect(error?.code == .tooLarge)
        #expect(error?.message.contains("2500") == true)
        #expect(throws: TrackerError.self) { try Self.inputs(.union, [many, many, many]) }
        // A condition may bring a large product down, but not one of any size.
        let few = Multiplex.crossProduct.only(where: "equal") { $0[0].task == $0[1].task }
        let some = (0..<30).map { "\($0)" }
        #expect(try Self.inputs(few, [some, some]).count == 30)
        #expect(throws: TrackerError.self) { try Self.inputs(few, [many, many]) }
        let huge = [[String?]](repeating: many, count: 20)
        let uncountable = #expect(throws: TrackerError.self) { try Self.inputs(.crossProduct, huge) }
        #expect(uncountable?.message.contains("too many to count") == true)
        #expect(Limits.products == 100_000)
    }

    @Test("tells a task which products it works on, also of more than 100 tasks")
    func payloads() throws {
        func payload(_ count: Int) -> SegmentPayload {
            let products = (0..<count).map {
                Product(segment: "s", task: TaskID(trusted: "s@\($0 % 2)/\($0)"), body: .empty)
            }
            return SegmentPayload(Multiplex.Input(products: products, group: "g"))
        }
        #expect(payload(100).from == nil)
        #expect(payload(100).inputs == 100)
        let large = payload(101)
        #expect(large.tasks.map(\.description) == (0..<101).map { "s@\($0 % 2)/\($0)" })
        #expect(large.group == "g")
    }
}
