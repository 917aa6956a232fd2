//! The dashboard: a page of plain HTML, CSS and ES modules that is served from the binary.
//!
//! Nothing is built and nothing comes from elsewhere: what is in `page/` is what browsers get, under
//! a policy that allows no inline code ([`CONTENT_SECURITY_POLICY`]).

mod files;

pub use files::{File, Page, page};

/// What the page may do: its own files, its own server, and pictures that it has fetched itself.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; \
    manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
