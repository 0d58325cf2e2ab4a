//! What is known about the official sets: file names, sizes, hashes, class names, where they come from.

use crate::SetName;

/// One official file, described by its uncompressed content.
pub(crate) struct KnownFile {
    pub(crate) name: &'static str,
    pub(crate) bytes: u64,
    /// `None` where no trustworthy hash was at hand; then only the size is compared.
    pub(crate) sha256: Option<&'static str>,
}

/// One official set.
pub(crate) struct Known {
    pub(crate) set: SetName,
    pub(crate) files: &'static [KnownFile],
    pub(crate) train: usize,
    pub(crate) test: usize,
    pub(crate) classes: &'static [&'static str],
    /// Where to get it, for an error message.
    pub(crate) home: &'static str,
    /// Folder name inside the official archive, accepted below the given path.
    pub(crate) inner: Option<&'static str>,
}

const fn file(name: &'static str, bytes: u64, sha256: &'static str) -> KnownFile {
    KnownFile { name, bytes, sha256: Some(sha256) }
}

pub(crate) const MNIST: Known = Known {
    set: SetName::Mnist,
    files: &[
        file("train-images-idx3-ubyte", 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        file("train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        file("t10k-images-idx3-ubyte", 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        file("t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ],
    train: 60_000,
    test: 10_000,
    classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    home: "get the four files from the MNIST page (LeCun, Cortes, Burges; yann.lecun.com/exdb/mnist) and set data.path",
    inner: None,
};

pub(crate) const FASHION_MNIST: Known = Known {
    set: SetName::FashionMnist,
    files: &[
        file("train-images-idx3-ubyte", 47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        file("train-labels-idx1-ubyte", 60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        file("t10k-images-idx3-ubyte", 7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        file("t10k-labels-idx1-ubyte", 10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    ],
    train: 60_000,
    test: 10_000,
    classes: &[
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
    home: "Debian, Ubuntu: apt-get install dataset-fashion-mnist; or get the four files from \
           github.com/zalandoresearch/fashion-mnist and set data.path; or use the embedded set fashion-mnist-mini",
    inner: None,
};

/// The embedded set: the hashes are those written by `scripts/make_fashion_mnist_mini.py`.
pub(crate) const FASHION_MNIST_MINI: Known = Known {
    set: SetName::FashionMnistMini,
    files: &[
        file("train-images-idx3-ubyte", 6_272_016, "15794529b4af6983378862817bfd27e9e68a76f1fa91bb766386eeeba7892f01"),
        file("train-labels-idx1-ubyte", 8_008, "1e28c4ec5ac6378e2d0a86a745151ef9e05c37456d5b44dbdb4f3d44f29e9d31"),
        file("t10k-images-idx3-ubyte", 1_568_016, "1b9a1884bcce59552fe06b761ebbd50c82321ffbf0a6fbbc881318e5bf226d2a"),
        file("t10k-labels-idx1-ubyte", 2_008, "e026daf3d28b630d395bff264d45247706f43ecba7d4f48422cba6b6a30e22d3"),
    ],
    train: 8_000,
    test: 2_000,
    classes: FASHION_MNIST.classes,
    home: "the set is embedded",
    inner: None,
};

/// The hashes belong to files whose MD5 sums are the published ones.
pub(crate) const CIFAR10: Known = Known {
    set: SetName::Cifar10,
    files: &[
        file("data_batch_1.bin", 30_730_000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        file("data_batch_2.bin", 30_730_000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        file("data_batch_3.bin", 30_730_000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        file("data_batch_4.bin", 30_730_000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        file("data_batch_5.bin", 30_730_000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
        file("test_batch.bin", 30_730_000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
    ],
    train: 50_000,
    test: 10_000,
    classes: &["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    home: "get the binary version from the CIFAR-10 page (Krizhevsky; cs.toronto.edu/~kriz/cifar.html), unpack it and \
           set data.path",
    inner: Some("cifar-10-batches-bin"),
};

pub(crate) const CIFAR100: Known = Known {
    set: SetName::Cifar100,
    files: &[
        KnownFile { name: "train.bin", bytes: 153_700_000, sha256: None },
        KnownFile { name: "test.bin", bytes: 30_740_000, sha256: None },
    ],
    train: 50_000,
    test: 10_000,
    classes: &CIFAR100_FINE,
    home: "get the binary version from the CIFAR-100 page (Krizhevsky; cs.toronto.edu/~kriz/cifar.html), unpack it and \
           set data.path",
    inner: Some("cifar-100-binary"),
};

/// Names of the fine classes, in label order (which is alphabetical).
#[rustfmt::skip]
const CIFAR100_FINE: [&str; 100] = [
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
    "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle",
    "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur",
    "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard",
    "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain",
    "mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
    "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket",
    "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider",
    "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger", "tractor",
    "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
];

pub(crate) const ALL: [&Known; 5] = [&FASHION_MNIST_MINI, &FASHION_MNIST, &MNIST, &CIFAR10, &CIFAR100];

/// What is known about a set; `None` for `image-folder`.
pub(crate) fn known(set: SetName) -> Option<&'static Known> {
    ALL.into_iter().find(|k| k.set == set)
}

/// The official file with this content, if any.
pub(crate) fn recognise(sha256: &str) -> Option<(SetName, &'static str)> {
    ALL.into_iter().find_map(|k| k.files.iter().find(|f| f.sha256 == Some(sha256)).map(|f| (k.set, f.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_consistent() {
        let mut sorted = CIFAR100_FINE;
        sorted.sort_unstable();
        assert_eq!(sorted, CIFAR100_FINE);
        for k in ALL {
            for f in k.files {
                if let Some(hash) = f.sha256 {
                    assert_eq!(hash.len(), 64);
                    assert_eq!(recognise(hash), Some((k.set, f.name)));
                }
            }
            let per_image = |n: &str| k.files.iter().filter(|f| f.name.contains(n)).map(|f| f.bytes).sum::<u64>();
            match k.set {
                SetName::Cifar10 => assert_eq!(per_image("batch"), 60_000 * 3073),
                SetName::Cifar100 => assert_eq!(per_image("bin"), 60_000 * 3074),
                _ => {
                    assert_eq!(per_image("images"), 32 + 784 * (k.train + k.test) as u64);
                    assert_eq!(per_image("labels"), 16 + (k.train + k.test) as u64);
                }
            }
        }
    }
}
