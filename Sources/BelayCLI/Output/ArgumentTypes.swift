public import ArgumentParser
public import Belay
public import Logging

extension TaskState: ExpressibleByArgument {}

extension Logger.Level: @retroactive ExpressibleByArgument {}
