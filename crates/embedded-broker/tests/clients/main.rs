//! The broker under the clients that it is made for: librdkafka's, through the `rdkafka` crate.

mod admin;
mod groups;
mod interruption;
mod messages;
mod restart;
mod setup;
