//! Writes the corpora, small files made by this project's own writers and test code: `cargo run --release --bin seeds`.
//!
//! The first byte of an input often says how a target reads the rest; see the targets.

#[path = "../../../crates/bitspike-events/tests/common/mod.rs"]
mod events;

use bitspike_events::{EventWriter, Format};
use bitspike_fuzz::{Folder, models};
use bitspike_run::{
    ClassicRecord, Classics, EpochRecord, LayerRecord, NoteRecord, Record, RunFolder, RunInfo, StepRecord, Summary,
};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::path::Path;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let put = |target: &str, name: &str, bytes: &[u8]| {
        let folder = root.join(target);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    };
    let with = |first: u8, bytes: &[u8]| [&[first], bytes].concat();
    let gzip = |bytes: &[u8]| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    };

    for (name, file) in models::plain() {
        put("bsnn", name, &file);
    }
    for (i, file) in models::fed().iter().enumerate() {
        put("bsnn", &format!("fed-{i}"), file);
        put("feed", &format!("{i}"), &with(i as u8, models::feed_of(file)));
    }

    let idx = |kind: &[u8], body: &[u8]| [kind, body].concat();
    let images = idx(b"\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x03", &[0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255]);
    let labels = idx(b"\0\0\x08\x01\0\0\0\x02", &[3, 9]);
    for (name, bytes) in [("images", &images), ("labels", &labels)] {
        for target in ["idx", "image"] {
            put(target, name, bytes);
            put(target, &format!("{name}-gzip"), &gzip(bytes));
        }
    }
    // Two records each, packed: plain ones would be the largest files here.
    for (name, labels) in [("cifar10", &[7u8][..]), ("cifar100", &[3, 99])] {
        let record: Vec<u8> = labels.iter().copied().chain((0..3072).map(|i| (i / 64) as u8)).collect();
        put("cifar", &format!("{name}-gzip"), &gzip(&record.repeat(2)));
        put("cifar", name, &record);
    }
    let folder = Folder::new();
    for (format, end) in [(image::ImageFormat::Png, "png"), (image::ImageFormat::Jpeg, "jpg")] {
        for grey in [false, true] {
            let path = folder.path().join(format!("{grey}.{end}"));
            let picture = image::RgbImage::from_fn(5, 4, |x, y| image::Rgb([x as u8 * 50, y as u8 * 60, 128]));
            let picture = image::DynamicImage::from(picture);
            let picture = if grey { picture.to_luma8().into() } else { picture };
            picture.save_with_format(&path, format).unwrap();
            put("image", &format!("{}.{end}", if grey { "grey" } else { "colour" }), &std::fs::read(&path).unwrap());
        }
    }

    let number = |format: Format| Format::ALL.iter().position(|f| *f == format).unwrap() as u8;
    for sample in events::samples(9) {
        let name: String = sample.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        put("events", &name, &with(number(sample.format), &sample.bytes));
    }
    for format in [Format::Evt3, Format::Es, Format::Npz, Format::Csv] {
        let path = folder.path().join("written");
        let mut writer = EventWriter::create(&path, format, (128, 128)).unwrap();
        writer.write(&events::plain(9)).unwrap();
        writer.finish().unwrap();
        // 255 is no format: it is told by the content.
        put("events", &format!("written-{}", format.name()), &with(255, &std::fs::read(&path).unwrap()));
    }
    let hdf5 = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/bitspike-events/tests/data/columns.h5");
    put("events", "hdf5", &with(number(Format::Hdf5), &std::fs::read(hdf5).unwrap()));

    let parquet = events::parquet(&events::plain(9));
    put("parquet", "events", &parquet);
    put("parquet", "one-group", &events::parquet(&events::plain(1)));
    put("sensors", "parquet", &with(4, &parquet));

    let csv = "t,a,b,first\n0,1.5,-2e3,\"x, y\"\n0.1,0,NaN,x\n0.2,3,4,z\n0.3,4,5,z\n";
    for (name, first) in [("csv", 0), ("csv-time", 8), ("csv-cut", 40), ("csv-filled", 16), ("stream-csv", 136)] {
        put("sensors", name, &with(first, csv.as_bytes()));
    }
    put("sensors", "csv-spaces", &with(64, b"a b\n1 2\n3 4\n"));
    put("sensors", "series", &with(6, b"1,0.5,2e1,NaN,3\n2,1,2,NaN,NaN\n"));
    put("sensors", "dates", &with(8, b"t,a\n2024-02-28 23:59:59.5,1\n2024-02-29T00:00:00Z,2\n"));
    let utf16: Vec<u8> = "\u{feff}t,a\n0,1\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    put("sensors", "utf-16", &with(8, &utf16));
    let ts = "# c\n@problemName d\n@equalLength true\n@dimensions 2\n@seriesLength 2\n@classLabel true a b\n@data\n\
              1,2:3,4:a\n5,?:7,8:b\n";
    put("sensors", "ts", &with(1, ts.as_bytes()));
    let mut npy = b"\x93NUMPY\x01\0".to_vec();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    (0..6).for_each(|i| npy.extend((i as f32).to_le_bytes()));
    put("sensors", "npy", &with(2, &npy));
    for (name, tag, bits) in [("wav-8", 1u16, 8u16), ("wav-16", 1, 16), ("wav-24", 1, 24), ("wav-f32", 3, 32)] {
        let frame = 2 * bits / 8;
        let body: Vec<u8> = (0..6 * u32::from(frame)).map(|i| if tag == 3 { 0 } else { i as u8 }).collect();
        let mut wav = b"RIFF".to_vec();
        wav.extend((36 + body.len() as u32).to_le_bytes());
        wav.extend(b"WAVEfmt \x10\0\0\0");
        wav.extend(tag.to_le_bytes());
        wav.extend(2u16.to_le_bytes());
        wav.extend(8000u32.to_le_bytes());
        wav.extend((8000 * u32::from(frame)).to_le_bytes());
        wav.extend(frame.to_le_bytes());
        wav.extend(bits.to_le_bytes());
        wav.extend(b"data");
        wav.extend((body.len() as u32).to_le_bytes());
        wav.extend(body);
        put("sensors", name, &with(3, &wav));
    }
    let mut aiff = b"FORM\0\0\0\x36AIFCCOMM\0\0\0\x18\0\x01\0\0\0\x03\0\x10\x40\x0b\xfa\0\0\0\0\0\0\0sowt\0\0".to_vec();
    aiff.extend(b"SSND\0\0\0\x0e\0\0\0\0\0\0\0\0\x01\x02\x03\x04\x05\x06");
    put("sensors", "aiff", &with(3, &aiff));
    for end in ["flac", "mp3", "ogg"] {
        let tone = format!("{}/../crates/bitspike-sensors/tests/audio/tone.{end}", env!("CARGO_MANIFEST_DIR"));
        put("sensors", end, &with(3, &std::fs::read(tone).unwrap()));
    }
    put("sensors", "raw", &with(5, &[1, 0, 2, 0, 255, 255, 0, 128]));
    put("sensors", "stream-raw", &with(129, &[1, 0, 2, 0, 255, 255, 0, 128]));

    let run = RunFolder::create(folder.path().join("run")).unwrap();
    run.write_info(&RunInfo { name: "a".into(), method: "agmm".into(), seed: 7, ..RunInfo::default() }).unwrap();
    run.write_summary(&Summary { epochs: 3, ..Summary::default() }).unwrap();
    run.write_recipe("seed = 7\n\n[train]\nepochs = 3\n").unwrap();
    let classic = ClassicRecord { name: "ridge".into(), accuracy: 0.5, ..ClassicRecord::default() };
    Classics { samples: 9, classics: vec![classic], ..Classics::default() }.write(run.path()).unwrap();
    let mut metrics = run.append_metrics().unwrap();
    let mut board = run.create_events().unwrap();
    for epoch in 1..4 {
        let step = StepRecord { step: epoch, epoch, ..StepRecord::default() };
        let layer = LayerRecord { name: "block1".into(), ..LayerRecord::default() };
        let record =
            EpochRecord { epoch, step: epoch, train_loss: f64::NAN, layers: vec![layer], ..EpochRecord::default() };
        board.step(&step).unwrap();
        board.epoch(&record).unwrap();
        metrics.append(&Record::Step(step)).unwrap();
        metrics.append(&Record::Epoch(record)).unwrap();
    }
    metrics.append(&Record::Note(NoteRecord { epoch: 3, step: 3, text: "resumed".into() })).unwrap();
    let files = ["run.json", "summary.json", "recipe.toml", "metrics.jsonl", "classics.json"];
    for (i, file) in files.iter().enumerate() {
        put("run", file, &with(i as u8, &std::fs::read(run.path().join(file)).unwrap()));
    }
    put("run", "tensorboard", &with(5, &std::fs::read(board.path()).unwrap()));

    let sensors = "path = \"recordings\"\nformat = { kind = \"csv\", separator = \";\" }\n\
        labels = { from = \"name\", pattern = \"{label}_{group}_{take}.csv\" }\nwindow = { length = 128, hop = 64 }\n\
        split = { by = \"group\", test = [\"anna\"] }\nencode = { kind = \"delta\", steps = 8, threshold = 0.25 }\n";
    put("config", "sensors", &with(0, sensors.as_bytes()));
    let default = toml::to_string(&bitspike_data::DataConfig::default()).unwrap();
    put("config", "data", &with(1, default.as_bytes()));
    let default = toml::to_string(&bitspike_data::AugmentConfig::default()).unwrap();
    put("config", "augment", &with(2, default.as_bytes()));
    let index = "file,label,group\n0.csv,a,1\n1.csv,b,1\n2.csv,a,2\n3.csv,b,2\n";
    put("config", "index", &with(3, index.as_bytes()));
}
