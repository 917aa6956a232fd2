//! Positions in a log: whether the log is still the same one, and where to go on in one that was
//! cut.

pub(crate) mod log_watch;
pub(crate) mod resume;
