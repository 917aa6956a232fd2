//! Whole journeys: a suite with the real model, and clients that see it from outside.
//!
//! The journeys run on the embedded broker, and on a real Apache Kafka when `MLVI_KAFKA` names one
//! (`HOST:PORT`). Those that stop the broker need one that `.ci/kafka` of this checkout has
//! started.

mod admin;
mod broker;
mod client;
mod groups;
mod journey;
mod largest;
mod log;
mod member;
mod photos;
mod process;
mod secure;
mod traffic;
mod units;
mod watch;
mod whereabouts;

pub use admin::Admin;
pub use broker::{StoppedKafka, kafka_to_stop};
pub use client::{Answer, Client};
pub use groups::Groups;
pub use journey::{Journey, Turn, suite_config};
pub use largest::jpeg_of_size;
pub use member::Member;
pub use photos::{models_dir, photo, reference_photo};
pub use process::{Log, PANIC, UNIT_ENTRY, UnitProcess, be_the_unit};
pub use requires::kafka;
pub use secure::SecureKafka;
pub use traffic::{Ended, Traffic, in_order_per_camera};
pub use watch::Watch;
pub use whereabouts::Whereabouts;
