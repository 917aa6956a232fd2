//! Questions and orders about topics and groups, apart from their messages.

pub(crate) mod create_topics;
pub(crate) mod lag;
pub(crate) mod topics;
