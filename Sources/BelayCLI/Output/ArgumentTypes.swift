public import ArgumentParser
public import Belay
public import Logging

extension TaskState: ExpressibleByArgument {}

extension ClaimOrder: ExpressibleByArgument {}

extension ExhaustedState: ExpressibleByArgument {}

extension Uniqueness.Later: ExpressibleByArgument {}

extension Logger.Level: @retroactive ExpressibleByArgument {}
