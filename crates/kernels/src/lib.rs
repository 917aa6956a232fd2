//! Arithmetic on slices, for the instructions that the processor has.
//!
//! Each kernel is a folder: `mod.rs` holds its public function and the choice by [`Isa`],
//! `portable.rs` the version in plain Rust that runs everywhere, and the other files one version
//! for each instruction set. Only those other files may contain unsafe code. The portable version
//! is the oracle of the others: `tests/oracle.rs` compares all versions that the processor can run.
//!
//! Kernels know nothing of images, networks or tract; they take slices and sizes, and panic when
//! these contradict each other.

pub mod conv;
mod find_byte;
pub mod int8;
mod isa;
mod letterbox;
mod max_pool;
mod multiply_add;
pub mod pixels;
mod read;
mod sharpen;
mod size;
mod team;

pub use find_byte::find_byte;
pub use isa::Isa;
pub use letterbox::{Letterboxer, Placement};
pub use max_pool::halve;
pub use multiply_add::multiply_add;
pub use read::read;
pub use sharpen::Sharpener;
pub use size::Size;
pub use team::Team;
