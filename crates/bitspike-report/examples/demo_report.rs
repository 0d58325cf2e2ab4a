//! Writes a report from fabricated runs, to look at the page without training anything.
//!
//! `cargo run -p bitspike-report --example demo_report -- FOLDER` makes `FOLDER/report.html` and prints the tables.

use std::{error::Error, io::Write, path::PathBuf};

use bitspike_report::{Comparison, html, text, write};
use bitspike_run::Status;

mod fabricate;
use fabricate::{Fake, run};

fn main() -> Result<(), Box<dyn Error>> {
    let home = PathBuf::from(std::env::args().nth(1).ok_or("usage: demo_report FOLDER")?);
    let mut paths = Vec::new();
    for seed in 1..=3 {
        let base = Fake { seed, ..Fake::default() };
        let agmm = Fake {
            method: "agmm",
            accuracy: 0.8795,
            flips: 0.78,
            firing: 0.17,
            gate: Some(0.52),
            alpha: true,
            ..base.clone()
        };
        let constant =
            Fake { method: "const-gate", accuracy: 0.878, flips: 0.84, firing: 0.18, gate: Some(0.5), ..base.clone() };
        let slow = Fake { method: "bsnn-lr-half", accuracy: 0.873, flips: 0.6, firing: 0.2, ..base.clone() };
        for fake in [base, agmm, constant, slow] {
            paths.push(run(&home, &fake));
        }
    }
    let cut =
        Fake { method: "agmm", seed: 4, status: Status::Interrupted, gate: Some(0.52), alpha: true, ..Fake::default() };
    paths.push(run(&home, &cut));
    let comparison = Comparison::from_runs(&paths)?;
    let mut out = std::io::stdout().lock();
    out.write_all(text(&comparison).as_bytes())?;
    let page = home.join("report.html");
    write(&comparison, &page, html)?;
    writeln!(out, "\n{}", page.display())?;
    Ok(())
}
