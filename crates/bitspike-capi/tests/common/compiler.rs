//! The C compiler of this machine. The same as in the tests of `bitspike-infer`: the tests of a published crate have nothing of another's.

use std::process::Command;

/// The C compiler: `CC`, or `cc`. None if the machine has none: then the tests say so and check nothing.
pub fn compiler() -> Option<String> {
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    match Command::new(&cc).arg("--version").output() {
        Ok(out) if out.status.success() => Some(cc),
        _ => {
            eprintln!("skipped: no C compiler {cc:?} on this machine; set CC to one");
            None
        }
    }
}
