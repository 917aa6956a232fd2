use embedded_broker::*;
use frame_bus::*;
use std::time::*;
use tokio_util::sync::CancellationToken;
fn out(t: &str, k: &str, n: usize) -> Outgoing {
    Outgoing { topic: t.into(), key: k.into(), headers: vec![("mlvi-x".into(), b"1".to_vec())], payload: vec![3; n] }
}
fn spec(name: &str, p: i32) -> TopicSpec {
    TopicSpec { name: name.into(), partitions: p, retention: Duration::from_secs(3600), retention_bytes: Some(1 << 30) }
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speed() {
    let dir = tempfile::tempdir().unwrap();
    let (addr, _b) = match std::env::var("MLVI_KAFKA") {
        Ok(a) => (a, None),
        _ => {
            let b = Broker::start(BrokerConfig::new(dir.path())).await.unwrap();
            (b.address().to_string(), Some(b))
        }
    };
    let bus = Bus::open(BusConfig::new(addr, "scratch")).unwrap();
    let sd = CancellationToken::new();
    let t = format!("speed-{}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis());
    bus.ensure_topics(&[spec(&t, 6)], &sd).await.unwrap();
    for size in [100_000usize, 3000] {
        let n = 3000;
        let mut c = bus.consumer(ConsumerOptions { group: format!("g{t}{size}"), topic: t.clone(), max_in_flight: 16 }).unwrap();
        let s = Instant::now();
        let mut js = tokio::task::JoinSet::new();
        for i in 0..n {
            let (bus, t) = (bus.clone(), t.clone());
            js.spawn(async move {
                loop {
                    match bus.send(out(&t, &format!("{}", i % 8), size)).await {
                        Ok(_) => break,
                        Err(SendError::QueueFull) => tokio::time::sleep(Duration::from_millis(5)).await,
                        Err(e) => panic!("{e}"),
                    }
                }
            });
            if js.len() >= 32 {
                js.join_next().await;
            }
        }
        while js.join_next().await.is_some() {}
        let e = s.elapsed();
        println!("send {size}: {:.0} msg/s {:.0} MB/s", n as f64 / e.as_secs_f64(), (n * size) as f64 / e.as_secs_f64() / 1e6);
        let skip = if size == 3000 { 3000 } else { 0 };
        let s = Instant::now();
        for _ in 0..n + skip {
            let d = c.recv().await.unwrap();
            d.ack.done();
        }
        let e = s.elapsed();
        println!("recv {size}: {:.0} msg/s (incl. join)", (n + skip) as f64 / e.as_secs_f64());
        let mut l = vec![];
        for _ in 0..200 {
            let s = Instant::now();
            bus.send(out(&t, "a", size)).await.unwrap();
            let a = s.elapsed();
            let d = c.recv().await.unwrap();
            d.ack.done();
            l.push((s.elapsed(), a));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        l.sort();
        println!("latency send..recv p50 {:?} p99 {:?}", l[100], l[197]);
        c.close().await;
    }
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs() {
    tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).init();
    let dir = tempfile::tempdir().unwrap();
    let b = Broker::start(BrokerConfig::new(dir.path())).await.unwrap();
    let a = b.address();
    let bus = Bus::open(BusConfig { send_timeout: Duration::from_secs(2), ..BusConfig::new(a.to_string(), "scratch") }).unwrap();
    let sd = CancellationToken::new();
    let mut c = bus.consumer(ConsumerOptions { group: "g".into(), topic: "t".into(), max_in_flight: 2 }).unwrap();
    let _tail = bus.tail("t", frame::Timestamp::now()).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    bus.ensure_topics(&[spec("t", 3)], &sd).await.unwrap();
    bus.ensure_topics(&[spec("t", 9)], &sd).await.unwrap();
    bus.send(out("t", "k", 9)).await.unwrap();
    c.recv().await.unwrap().ack.done();
    println!("--- stop");
    let s = Instant::now();
    b.shutdown().await.unwrap();
    println!("shutdown took {:?}", s.elapsed());
    let mut st = bus.state();
    st.wait_for(Result::is_err).await.unwrap();
    println!("noticed after {:?}", s.elapsed());
    let mut js = tokio::task::JoinSet::new();
    for i in 0..20 {
        let (bus, sd) = (bus.clone(), sd.clone());
        js.spawn(async move { bus.send_persistently(out("t", &i.to_string(), 9), &sd).await.unwrap() });
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    println!("--- start");
    let b = Broker::start(BrokerConfig { listen: a, ..BrokerConfig::new(dir.path()) }).await.unwrap();
    let s = Instant::now();
    st.wait_for(Result::is_ok).await.unwrap();
    println!("back after {:?}", s.elapsed());
    js.join_all().await;
    println!("all sent after {:?}", s.elapsed());
    for _ in 0..20 {
        c.recv().await.unwrap().ack.done();
    }
    println!("all received after {:?}", s.elapsed());
    let s = Instant::now();
    c.close().await;
    println!("close took {:?}", s.elapsed());
    let c = bus.consumer(ConsumerOptions { group: "g".into(), topic: "t".into(), max_in_flight: 2 }).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let c2 = bus.consumer(ConsumerOptions { group: "g".into(), topic: "t".into(), max_in_flight: 2 }).unwrap();
    b.shutdown().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let s = Instant::now();
    c.close().await;
    println!("close without a broker took {:?}", s.elapsed());
    let s = Instant::now();
    drop(bus);
    drop(c2);
    println!("drop took {:?}", s.elapsed());
    tokio::time::sleep(Duration::from_secs(1)).await;
}
