//! TLS, logins and rights, on the listeners that `.ci/kafka` opens for them.
//!
//! `MLVI_KAFKA=HOST:PORT` names its open listener; the one with TLS and a login is on PORT+2, the
//! one with a login alone on PORT+3. Its authority and the users' passwords are in
//! `target/kafka/node-PORT/secrets`, or where `MLVI_KAFKA_SECRETS` says. `MLVI_KAFKA_SCRIPT` names
//! the script itself, for the test that changes a user.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

mod log;
mod refusals;
mod rights;
mod stand;
mod traffic;

macro_rules! secure {
    ($($module:ident :: $name:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() -> anyhow::Result<()> {
            match stand::Stand::kafka()? {
                Some(stand) => $module::$name(stand).await,
                None => Ok(()),
            }
        })*
    };
}

secure![
    traffic::a_login_sends_and_receives,
    traffic::the_largest_frame_passes_over_tls,
    refusals::a_refused_login_is_told_once_and_waited_for,
    refusals::a_certificate_that_is_not_trusted_is_told_once,
    refusals::listeners_that_speak_something_else_are_told_once,
    rights::the_cloud_may_do_its_work_and_nothing_else,
    rights::a_user_without_rights_is_told_what_it_lacks,
    rights::rights_given_after_the_start_count_at_once,
    rights::a_unit_asks_only_for_what_its_user_may_see,
    rights::a_table_that_may_not_be_read_leaves_its_bus_usable,
];
