/// The order of things that follow one another, by name.
enum Topology {
    /// The places of the nodes so that each stands behind its parents; otherwise in the order given.
    /// - Parameter what: What a node is called in errors: `step`, `segment`.
    /// - Throws: ``TrackerError`` (`invalidArgument`) naming a name that stands twice, or a cycle, as in `a -> b -> a`;
    ///   `unknownParent` naming a parent that is no node.
    static func sort(
        _ nodes: [(name: String, parents: [String])],
        what: String
    ) throws(TrackerError) -> [Int] {
        var places: [String: Int] = [:]
        for (place, node) in nodes.enumerated() where places.updateValue(place, forKey: node.name) != nil {
            throw .invalid("\(what)", node.name, allowed: "each name once")
        }
        var parents: [[Int]] = []
        for node in nodes {
            var found: [Int] = []
            for parent in node.parents {
                guard let place = places[parent] else {
                    let message = "\(what) “\(node.name)” follows “\(parent)”, which there is not; nothing was sent"
                    throw TrackerError(.unknownParent, message)
                }
                if found.contains(place) { throw .invalid("parent of “\(node.name)”", parent, allowed: "each once") }
                found.append(place)
            }
            parents.append(found)
        }
        return try order(nodes.map(\.name), parents, what)
    }

    private static func order(
        _ names: [String],
        _ parents: [[Int]],
        _ what: String
    ) throws(TrackerError) -> [Int] {
        var order: [Int] = []
        var isPlaced = [Bool](repeating: false, count: names.count)
        while order.count < names.count {
            let free = names.indices.first { place in !isPlaced[place] && parents[place].allSatisfy { isPlaced[$0] } }
            guard let free else {
                let cycle = cycle(parents, isPlaced).map { names[$0] }.joined(separator: " -> ")
                throw TrackerError(.invalidArgument, "the \(what)s follow one another in a cycle: \(cycle)")
            }
            isPlaced[free] = true
            order.append(free)
        }
        return order
    }

    /// Some cycle among what could not be placed, from its earliest node around to it again.
    private static func cycle(_ parents: [[Int]], _ isPlaced: [Bool]) -> [Int] {
        var path: [Int] = []
        var place = isPlaced.firstIndex(of: false) ?? 0
        while !path.contains(place) {
            path.append(place)
            // What could not be placed has a parent that could not either.
            place = parents[place].first { !isPlaced[$0] } ?? place
        }
        let round = Array(path[(path.firstIndex(of: place) ?? 0)...].reversed())
        let start = round.enumerated().min { $0.element < $1.element }?.offset ?? 0
        let turned = Array(round[start...] + round[..<start])
        return turned + turned.prefix(1)
    }
}
