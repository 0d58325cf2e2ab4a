//! The bitspike command line: parse, call the libraries, print.
//!
//! Results go to standard output, everything else to standard error. Exit code 0: done; 1: a check failed; 2: an error.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod error;
mod interrupt;
mod output;
mod progress;
mod rapl;

use clap::Parser;
use std::process::ExitCode;

// glibc returns every large tensor to the system and faults it in anew; this is two to seven times faster.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { 2 } else { 0 });
        }
    };
    match commands::run(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(e) => {
            // A reader that left early, as in `bitspike ... | head`, is no error.
            if e.is_broken_pipe() {
                return ExitCode::SUCCESS;
            }
            output::error(&e);
            ExitCode::from(2)
        }
    }
}
