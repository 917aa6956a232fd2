//! A namespace read through a fake API server, with and without the right to.

mod fake_api;
mod inspect;
mod live;
