//! What becomes of tasks that end, panic, or go on.

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn tasks() -> Tasks {
    Tasks::new(Health::of("unit"), CancellationToken::new(), Faults::default())
}

async fn failure_of(tasks: &Tasks) -> TaskFailure {
    tokio::time::timeout(Duration::from_secs(20), tasks.failed()).await.expect("no task fails")
}

#[tokio::test]
async fn a_panic_fails_a_task_whenever_it_may_end() {
    let asked = CancellationToken::new();
    asked.cancel();
    for ends in [Ends::Never, Ends::WhenDone, Ends::WhenAsked(asked)] {
        let tasks = tasks();
        tasks.spawn("learning", ends, async { panic!("number {}", 7) });
        let failure = failure_of(&tasks).await;
        assert_eq!(failure.to_string(), "task 'learning' of unit panicked: number 7");
        assert!(tasks.stop().is_cancelled());
    }
}

#[tokio::test]
async fn only_an_end_that_nobody_asked_for_is_a_failure() {
    let tasks = tasks();
    let asked = CancellationToken::new();
    asked.cancel();
    tasks.spawn("done", Ends::WhenDone, async {}).await.unwrap();
    tasks.spawn("asked", Ends::WhenAsked(asked), async {}).await.unwrap();
    assert_eq!(tasks.failure(), None);
    tasks.spawn("unasked", Ends::WhenAsked(CancellationToken::new()), async {});
    let failure = failure_of(&tasks).await;
    assert_eq!((&*failure.task, failure.cause), ("unasked", TaskEnd::Unasked));
    tasks.spawn("endless", Ends::Never, async {}).await.unwrap();
    assert_eq!(tasks.failure().unwrap().task, "unasked", "the first one is kept");
}

#[tokio::test]
async fn the_end_drops_what_still_runs() {
    let tasks = tasks();
    let running = tasks.spawn("endless", Ends::Never, std::future::pending());
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let thread = tasks.spawn_thread("thread", Ends::Never, move || {
        assert!(receiver.recv().is_err(), "it waits until the sender is gone");
    });
    thread.unwrap();
    drop(tasks.end_guard());
    running.await.unwrap();
    drop(sender);
    // the thread is over a moment later, and that is no failure
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(tasks.failure(), None);
}

#[tokio::test]
async fn a_thread_that_panics_or_ends_is_a_failure() {
    let panics = tasks();
    panics.spawn_thread("thread", Ends::WhenDone, || panic!("on a thread")).unwrap();
    assert_eq!(failure_of(&panics).await.cause, TaskEnd::Panicked("on a thread".into()));
    let ends = tasks();
    ends.spawn_thread("thread", Ends::Never, || {}).unwrap();
    assert_eq!(failure_of(&ends).await.cause, TaskEnd::Unasked);
}

#[tokio::test]
async fn a_planted_fault_hits_its_task_alone() {
    let faults = Faults::default();
    let tasks = Tasks::new(Health::of("unit"), CancellationToken::new(), faults.clone());
    tasks.spawn("one", Ends::Never, std::future::pending());
    tasks.spawn("other", Ends::Never, std::future::pending());
    faults.plant("another unit", "one");
    faults.plant("unit", "other");
    assert_eq!(failure_of(&tasks).await.task, "other");
}

#[tokio::test]
async fn work_is_stopped_by_a_failure_and_else_dropped() {
    let tasks = tasks();
    let stop = tasks.stop().clone();
    tasks.spawn("short", Ends::Never, async {});
    let polite = async {
        stop.cancelled().await;
        anyhow::Ok(())
    };
    let error = tasks.supervise(polite, LONG).await.unwrap_err();
    assert_eq!(error.downcast_ref(), tasks.failure().as_ref());
    let hangs = std::future::pending::<anyhow::Result<()>>();
    let error = tasks.supervise(hangs, Duration::from_millis(10)).await.unwrap_err();
    assert!(error.to_string().starts_with("task 'short' of unit ended"), "{error}");
}

#[tokio::test]
async fn work_that_ends_by_itself_keeps_its_outcome() {
    let tasks = tasks();
    tasks.supervise(async { anyhow::Ok(()) }, LONG).await.unwrap();
    let error = tasks.supervise(async { Err(anyhow::anyhow!("no port")) }, LONG).await;
    assert_eq!(error.unwrap_err().to_string(), "no port");
}

#[tokio::test]
async fn work_that_panics_is_a_failure_of_its_own() {
    let tasks = tasks();
    async fn work() -> anyhow::Result<()> {
        panic!("on purpose")
    }
    let error = tasks.supervise(work(), LONG).await.unwrap_err();
    let failure: &TaskFailure = error.downcast_ref().unwrap();
    assert_eq!((&*failure.task, &failure.cause), ("work", &TaskEnd::Panicked("on purpose".into())));
    assert!(tasks.stop().is_cancelled());
}
