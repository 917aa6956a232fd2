//! The binary is linked lean.

fn main() {
    lean_link::link_lean();
}
