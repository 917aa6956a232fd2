//! Which fields Kubernetes' kinds have, and of which types.
//!
//! A cluster drops unknown fields in silence unless it is asked not to, so that a typing error
//! turns a setting off without a word. [`strict`] finds every field that a kind does not have, and
//! every value of a wrong type.
//!
//! The table is `kinds.txt`. It is made from the types of `k8s-openapi`, and a test
//! (`tests/kinds.rs`) holds it to them; with `MLVI_WRITE_KINDS=1` that test writes it anew. Types
//! of operators, of which there is no crate, are written by hand in `operators.txt`.

mod check;
mod mismatch;
mod step;
mod table;
mod text;

pub use check::{Fault, FieldFault, strict, strict_operator};
pub use step::Step;
pub use table::known_kinds;
