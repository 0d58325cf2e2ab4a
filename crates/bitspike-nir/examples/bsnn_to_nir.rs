//! Writes a `.bsnn` file as a NIR graph: `cargo run -p bitspike-nir --example bsnn_to_nir -- net.bsnn net.nir [scaled|signs] [soft]`.

use bitspike_format::Model;
use bitspike_nir::{Layout, Options, write};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, rest @ ..] = &args[..] else {
        return Err("usage: bsnn_to_nir FILE.bsnn FILE.nir [scaled|signs] [soft]".into());
    };
    let mut options = Options::default();
    for word in rest {
        match word.as_str() {
            "scaled" => options.weights = Layout::Scaled,
            "signs" => options.weights = Layout::Signs,
            "soft" => options.soft_reset = true,
            other => return Err(format!("{other}: expected scaled, signs or soft").into()),
        }
    }
    let bytes = std::fs::read(from)?;
    let model = Model::parse(&bytes).map_err(|e| e.to_string())?;
    write(&model, &options, Path::new(to))?;
    Ok(())
}
