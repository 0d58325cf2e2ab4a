//! The set carried inside the program: `fashion-mnist-mini`.
//!
//! The first 800 images per class of the Fashion-MNIST training part and the first 200 per class of its test part, in
//! round-robin order over the classes. MIT licence, Copyright (c) 2017 Zalando SE; licence text and hashes are beside
//! the files in `assets/fashion-mnist-mini`.

use crate::source::Source;

/// The four files, in the order of the official table.
pub(crate) fn sources() -> [Source; 4] {
    [
        Source::embedded(
            "fashion-mnist-mini/train-images-idx3-ubyte.gz",
            include_bytes!("../assets/fashion-mnist-mini/train-images-idx3-ubyte.gz"),
        ),
        Source::embedded(
            "fashion-mnist-mini/train-labels-idx1-ubyte.gz",
            include_bytes!("../assets/fashion-mnist-mini/train-labels-idx1-ubyte.gz"),
        ),
        Source::embedded(
            "fashion-mnist-mini/t10k-images-idx3-ubyte.gz",
            include_bytes!("../assets/fashion-mnist-mini/t10k-images-idx3-ubyte.gz"),
        ),
        Source::embedded(
            "fashion-mnist-mini/t10k-labels-idx1-ubyte.gz",
            include_bytes!("../assets/fashion-mnist-mini/t10k-labels-idx1-ubyte.gz"),
        ),
    ]
}

/// Licence text of the embedded images; show it wherever the program lists third-party licences.
///
/// ```
/// assert!(bitspike_data::EMBEDDED_LICENSE.contains("Zalando"));
/// ```
pub const EMBEDDED_LICENSE: &str = include_str!("../assets/fashion-mnist-mini/LICENSE");
