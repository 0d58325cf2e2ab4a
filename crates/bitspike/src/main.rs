//! The bitspike command line.
fn main() {}
