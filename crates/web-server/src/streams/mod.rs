//! Videos that come in: cut into frames, each of which is taken as an upload is.
//!
//! `cutter` (with `walker`, `part` and `window`) finds the frames in a body. A `session` takes
//! those of one camera, at most so many at once, and drops what comes too fast, as `options` say.
//! `receive` reads them out of a request's body, `socket` out of the messages of a WebSocket.
//! `tally` counts what became of them.

mod counted;
mod cutter;
mod open;
mod options;
mod part;
mod receive;
mod session;
mod socket;
mod tally;
#[cfg(test)]
mod tests;
mod walker;
mod window;

pub(crate) use cutter::Framing;
pub(crate) use open::Open;
pub(crate) use options::Options;
pub(crate) use receive::receive;
pub(crate) use socket::converse;
#[cfg(test)]
pub(crate) use tally::sample_summary;
