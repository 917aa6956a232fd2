//! A producer without a broker.

use super::*;

fn nobody() -> BusConfig {
    // port 1 is never a broker
    BusConfig {
        send_timeout: Duration::from_secs(1),
        queue_bytes: 1 << 20,
        ..BusConfig::new("127.0.0.1:1", "test")
    }
}

fn producer() -> Arc<Producer> {
    Arc::new(Producer::new(&nobody(), &Arc::default()).unwrap())
}

fn record(payload: &[u8]) -> Arc<Record> {
    Arc::new(Record {
        topic: "t".into(),
        key: Some(b"k".to_vec()),
        headers: vec![],
        payload: Some(payload.to_vec().into()),
    })
}

#[tokio::test]
async fn an_absent_broker_is_a_value_that_says_why() {
    let producer = producer();
    let error = producer.send(&record(b"x")).await.unwrap_err();
    assert!(matches!(&error, SendError::BrokerAway { reason } if !reason.is_empty()), "{error:?}");
}

#[tokio::test]
async fn a_full_queue_is_a_value() {
    let producer = producer();
    let half = record(&vec![0; 600 * 1024]);
    let first = producer.send(&half);
    let second = async {
        tokio::task::yield_now().await;
        producer.send(&half).await
    };
    let (_, second) = tokio::join!(first, second);
    assert_eq!(second, Err(SendError::QueueFull));
}

#[tokio::test]
async fn what_is_too_large_is_refused_at_once() {
    let producer = producer();
    let error = producer.send(&record(&vec![0; MAX_MESSAGE_BYTES])).await.unwrap_err();
    assert!(matches!(error, SendError::TooLarge { limit: MAX_MESSAGE_BYTES, .. }), "{error:?}");
}

#[tokio::test]
async fn a_large_message_is_handed_over_as_well() {
    let producer = Arc::new(
        Producer::new(&BusConfig { queue_bytes: 64 << 20, ..nobody() }, &Arc::default()).unwrap(),
    );
    // refused by nobody but the broker that is not there
    let error = producer.send(&record(&vec![0; LARGE_PAYLOAD])).await.unwrap_err();
    assert!(matches!(error, SendError::BrokerAway { .. }), "{error:?}");
}

#[test]
fn a_replaced_producer_is_kept_while_it_is_in_use() {
    let producer = producer();
    let failed = producer.current();
    producer.replace(&failed, None);
    producer.drop_retired();
    assert_eq!(Arc::strong_count(&failed), 2);
    let gone = Arc::downgrade(&failed);
    drop(failed);
    assert!(gone.upgrade().is_some(), "whoever used it last must not be the one to drop it");
    producer.drop_retired();
    assert!(gone.upgrade().is_none());
}

#[test]
fn a_failed_producer_is_replaced_once() {
    let producer = producer();
    let failed = producer.current();
    producer.replace(&failed, None);
    let fresh = producer.current();
    assert!(!Arc::ptr_eq(&failed, &fresh));
    producer.replace(&failed, None);
    assert!(Arc::ptr_eq(&fresh, &producer.current()));
}
