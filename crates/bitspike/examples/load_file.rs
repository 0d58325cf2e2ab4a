//! A `.bsnn` file: what it holds, and what it says of the embedded test images.
//!
//! ```sh
//! cargo run --release --example load_file -- net.bsnn     # from the folder crates/bitspike
//! ```
#![allow(clippy::print_stdout)]

use bitspike::data::{DataConfig, load};
use bitspike::format::Layer;
use bitspike::infer::fast::OwnedEngine;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: load_file FILE.bsnn")?;
    // It owns its bytes: put it into a struct, or an Arc for threads.
    let engine = OwnedEngine::new(std::fs::read(&path)?)?;
    let network = *engine.model().network();
    println!(
        "{path}: T = {}, input {:?}, {} classes, kernels {:?}",
        network.steps,
        network.input,
        network.classes,
        engine.engine().path()
    );
    for layer in engine.model().layers() {
        match layer {
            Layer::Block(b) => println!("  convolution of {} channels", b.conv.channels),
            Layer::Residual(r) => println!("  residual convolution of {} channels", r.conv.channels),
            Layer::Neurons(_) => println!("  neurons"),
            Layer::Head(h) => println!("  classifier of {} classes", h.classes()),
        }
    }
    let data = load(&DataConfig::default())?;
    if network.input.len() != data.shape().iter().product::<usize>() || network.sequence {
        return Err("the embedded images are 1x28x28; give a file of a network on such images".into());
    }
    let (mut workspace, mut logits, mut correct) = (engine.engine().workspace(), vec![0.0; network.classes], 0);
    for i in 0..data.test.len() {
        let pixels = data.test.image(i).ok_or("the embedded images are pixels")?;
        let image: Vec<f32> = pixels.iter().map(|&p| network.pixel(0, p)).collect();
        engine.engine().run(&mut workspace, &image, &mut logits, &mut ())?;
        let class = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
        correct += usize::from(class == Some(data.test.labels[i] as usize)); // what has the largest logit
    }
    println!("{correct} of {} test images right", data.test.len());
    Ok(())
}
