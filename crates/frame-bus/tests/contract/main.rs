//! What a broker and this crate owe each other: one suite, run against the embedded broker and
//! against Apache Kafka.
//!
//! `MLVI_KAFKA=HOST:PORT` names a Kafka (`.ci/kafka start` gets one); unset, its half is skipped.
//! With `MLVI_KAFKA_SCRIPT` naming that script, the tests that stop the broker start a Kafka of
//! their own.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

mod absent;
mod asking;
mod consuming;
mod fatal;
mod groups;
mod logs;
mod membership;
mod outages;
mod poison;
mod sending;
mod site;
mod tailing;
mod working;

/// Makes each test once for each broker.
macro_rules! contract {
    ($($module:ident :: $name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> anyhow::Result<()> {
                super::$module::$name(super::site::Site::embedded().await?).await
            })*
        }
        mod kafka {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> anyhow::Result<()> {
                match super::site::Site::kafka() {
                    Some(site) => super::$module::$name(site).await,
                    None => Ok(()),
                }
            })*
        }
    };
}

contract![
    sending::a_message_arrives_with_its_key_its_headers_and_its_place,
    sending::messages_of_one_key_stay_in_order,
    sending::the_largest_frame_passes_and_a_larger_message_is_refused,
    sending::a_full_queue_is_a_value,
    sending::a_dead_letter_keeps_bytes_and_headers,
    sending::a_dead_letter_that_would_be_too_large_is_dropped,
    sending::a_result_travels_with_its_key_and_headers,
    consuming::a_commit_survives_a_restart_of_the_consumer,
    consuming::unfinished_messages_come_again_and_finished_ones_do_not,
    consuming::work_that_ends_in_any_order_is_committed_in_the_end,
    consuming::a_receive_that_is_cancelled_loses_nothing,
    consuming::no_more_than_the_allowed_deliveries_are_out,
    consuming::back_pressure_loses_neither_membership_nor_messages,
    consuming::a_topic_that_is_made_later_is_waited_for,
    groups::two_members_share_partitions_and_one_leaves,
    groups::work_that_a_member_leaves_behind_goes_to_the_other,
    groups::a_partition_that_left_while_it_was_paused_comes_back_awake,
    tailing::a_tail_begins_at_a_moment_and_says_when_it_has_caught_up,
    tailing::a_tail_of_an_empty_topic_has_caught_up_at_once,
    tailing::a_tail_waits_for_its_topic_and_for_added_partitions,
    tailing::a_table_follows_its_topic_and_is_replaced_with_it,
    asking::lag_counts_what_is_not_finished,
    asking::one_message_is_read_at_its_place,
    asking::topics_are_made_once_whoever_asks,
    asking::topics_that_are_there_are_in_place,
    working::everything_that_was_handled_is_committed,
    working::what_is_not_finished_after_the_drain_comes_again,
    working::a_message_that_cannot_be_processed_halts_the_work,
    working::a_panic_halts_the_work_and_its_message_comes_again,
    working::messages_of_one_key_are_processed_in_order,
    logs::a_tail_begins_again_when_its_topic_is_made_again,
    logs::a_group_begins_again_when_its_topic_is_made_again,
    logs::a_producer_goes_on_when_its_topic_is_made_again,
    logs::a_position_below_the_log_goes_on_at_its_start,
    logs::a_commit_above_the_log_is_mended,
    logs::a_topic_that_is_made_again_after_a_restart_is_read,
    logs::a_topic_that_is_missing_is_told_until_it_is_back,
    membership::a_surplus_member_is_in_place,
    membership::a_member_that_lost_its_partitions_says_since_when,
    poison::a_message_that_ends_its_process_is_given_up_and_no_other,
    poison::a_message_that_is_alone_is_taken_up_three_times,
    poison::a_process_that_is_killed_takes_no_message_with_it,
    poison::a_message_that_panics_is_given_up_wherever_it_comes,
    outages::nothing_acknowledged_is_lost_when_the_broker_restarts,
];
