//! The commands for a suite in Kubernetes. They live in a binary of their own, as those of git and
//! cargo do: `mlvi check` runs `mlvi-kubernetes check`, so that whoever runs the suite on one
//! machine does not compile Kubernetes' types.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line speaks to the person at the terminal"
)]

pub mod autoscale;
pub mod check;
pub mod credentials;
pub mod status;
