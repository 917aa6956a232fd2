//! What all clients of a bus tell and are told.

use crate::health::broker::{Link, Woken};
use crate::health::rights::Right;
use rdkafka::error::RDKafkaErrorCode;
use std::time::Duration;

#[test]
fn a_reason_stays_the_same_while_attempts_go_on() {
    let link = Link::default();
    for reason in [
        "a:1: refused (after 0ms in state CONNECT)",
        "a:1: refused (after 3ms in state CONNECT, 2 suppressed)",
    ] {
        assert!(link.note_reason(RDKafkaErrorCode::BrokerTransportFailure, reason));
        assert_eq!(link.last_reason().as_deref(), Some("a:1: refused"));
    }
    link.forget_reason();
    assert_eq!(link.last_reason(), None);
}

#[test]
fn a_refusal_outlasts_the_hanging_up_but_not_the_broker() {
    let link = Link::default();
    assert!(
        link.note_reason(
            RDKafkaErrorCode::Authentication,
            "sasl_ssl://a:1/bootstrap: no such user"
        )
    );
    let refusal = link.refusal().unwrap();
    assert!(link.note_reason(
        RDKafkaErrorCode::BrokerTransportFailure,
        "sasl_ssl://a:1/bootstrap: Disconnected"
    ));
    assert_eq!(link.last_reason(), Some(refusal.text));
    let gone = "sasl_ssl://a:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused";
    assert!(link.note_reason(RDKafkaErrorCode::BrokerTransportFailure, gone));
    assert_eq!((link.refusal(), link.last_reason().as_deref()), (None, Some(gone)));
}

#[test]
fn a_missing_right_is_known_until_it_is_there() {
    let link = Link::default();
    let text = link.lacks(Right::Read("t".into()));
    assert!(text.contains("'t'"), "{text}");
    assert_eq!(link.missing_rights(), Some(text));
    assert_eq!(link.wait(Duration::from_secs(60)), Woken::Trouble);
    link.has_read("another");
    assert!(link.missing_rights().is_some());
    link.has_read("t");
    assert_eq!(link.missing_rights(), None);
}

#[test]
fn a_missing_right_on_a_topic_that_is_not_needed_is_only_told() {
    let link = Link::default();
    link.can_do_without("t");
    assert!(link.lacks(Right::Write("t".into())).contains("'t'"));
    assert_eq!(link.missing_rights(), None);
    assert_eq!(link.wait(Duration::ZERO), Woken::Time, "the monitor need not ask");
    link.lacks(Right::Read("u".into()));
    link.has_written("t");
    assert!(link.missing_rights().is_some_and(|what| what.contains("'u'")));
}

#[test]
fn a_guess_is_no_reason_until_it_has_turned_out_to_be_right() {
    let link = Link::default();
    assert!(link.note_reason(
        RDKafkaErrorCode::BrokerTransportFailure,
        "a:1: timed out (after 9000ms in state UP)"
    ));
    assert!(link.note_reason(
        RDKafkaErrorCode::BrokerTransportFailure,
        "a:1/1: Disconnected (after 3ms in state UP)"
    ));
    assert_eq!(link.last_reason().as_deref(), Some("a:1: timed out"));
    let refusal = link.refusal().unwrap();
    assert!(!refusal.certain);
    link.confirm(&refusal);
    assert_eq!(link.last_reason(), Some(refusal.text));
}

#[test]
fn trouble_ends_a_wait_once() {
    let link = Link::default();
    link.report_trouble();
    assert_eq!(link.wait(Duration::from_secs(60)), Woken::Trouble);
    assert_eq!(link.wait(Duration::ZERO), Woken::Time);
    link.stop();
    assert_eq!(link.wait(Duration::from_secs(60)), Woken::Stopped);
}
