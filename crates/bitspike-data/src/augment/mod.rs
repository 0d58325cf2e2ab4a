//! Augmentation and normalisation: one operation per file, put together by [`Pipeline`].

mod affine;
mod auto_augment;
mod autocontrast;
mod blend;
mod brightness;
mod color;
mod contrast;
mod crop;
mod cutout;
mod equalize;
mod flip;
mod invert;
mod level;
mod mix;
mod normalize;
mod pipeline;
mod posterize;
mod resized_crop;
mod rotate;
mod sharpness;
mod shear;
mod signal;
mod solarize;
mod translate;
mod trivial;
mod work;

pub use pipeline::Pipeline;
pub(crate) use pipeline::{Mix, Scratch};
pub(crate) use resized_crop::Rectangle;
pub use signal::SignalAugment;

#[cfg(test)]
mod pillow_tests;
