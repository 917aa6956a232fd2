//! The binary is linked lean.

fn main() {
    lean_link::pack_relocations();
}
