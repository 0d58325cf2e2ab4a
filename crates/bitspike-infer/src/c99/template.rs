//! A folder that compiles as it is: network, stream, a program with a place for the sensor, and what builds it.

use super::{ExportError, fill, stream};
use crate::c99::{constant_bytes, export, feed};
use bitspike_format::Model;
use std::fmt;
use std::str::FromStr;

/// What a folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Cortex-M without an operating system: start-up, linker script and a makefile for `arm-none-eabi-gcc`.
    Bare,
    /// A sketch for the Arduino IDE.
    Arduino,
    /// A project of Espressif's ESP-IDF.
    EspIdf,
    /// An application of Zephyr.
    Zephyr,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bare, Self::Arduino, Self::EspIdf, Self::Zephyr];

    /// `bare`, `arduino`, `esp-idf` or `zephyr`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Arduino => "arduino",
            Self::EspIdf => "esp-idf",
            Self::Zephyr => "zephyr",
        }
    }

    /// Where the model's files lie in the folder, and how it is built.
    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Bare => ("", "Fill in board.c, set the memory of your processor in memory.ld, then `make`."),
            Self::Arduino => {
                ("@NAME@/", "Fill in read_sensor in @NAME@/@NAME@.ino, then open that file in the Arduino IDE.")
            }
            Self::EspIdf => {
                ("main/", "Fill in read_sensor in main/main.c, then `idf.py set-target esp32 build flash monitor`.")
            }
            Self::Zephyr => {
                ("src/", "Fill in read_sensor in src/main.c, then `west build -b BOARD`; see prj.conf for an FPU.")
            }
        }
    }

    /// The files beside the model's.
    fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Bare => &[
                ("main.c", include_str!("template/app.c")),
                ("board.h", include_str!("template/board.h")),
                ("board.c", include_str!("template/board.c")),
                ("startup.c", include_str!("template/startup.c")),
                ("memory.ld", include_str!("template/memory.ld")),
                ("Makefile", include_str!("template/Makefile")),
            ],
            Self::Arduino => &[("@NAME@/@NAME@.ino", include_str!("template/sketch.ino"))],
            Self::EspIdf => &[
                (
                    "CMakeLists.txt",
                    "cmake_minimum_required(VERSION 3.16)\ninclude($ENV{IDF_PATH}/tools/cmake/project.cmake)\nproject(@NAME@)\n",
                ),
                ("sdkconfig.defaults", "CONFIG_ESP_MAIN_TASK_STACK_SIZE=8192\n"),
                (
                    "main/CMakeLists.txt",
                    "idf_component_register(SRCS \"main.c\" \"@NAME@.c\" \"@NAME@_stream.c\" INCLUDE_DIRS \".\")\n",
                ),
                ("main/main.c", include_str!("template/idf_main.c")),
            ],
            Self::Zephyr => &[
                (
                    "CMakeLists.txt",
                    "cmake_minimum_required(VERSION 3.20.0)\nfind_package(Zephyr REQUIRED HINTS $ENV{ZEPHYR_BASE})\n\
                     project(@NAME@)\ntarget_sources(app PRIVATE src/main.c src/@NAME@.c src/@NAME@_stream.c)\n",
                ),
                (
                    "prj.conf",
                    "CONFIG_PRINTK=y\nCONFIG_MAIN_STACK_SIZE=8192\n# On a processor that has one:\n# CONFIG_FPU=y\n",
                ),
                ("src/main.c", include_str!("template/zephyr_main.c")),
            ],
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Target {
    type Err = ExportError;

    fn from_str(text: &str) -> Result<Self, ExportError> {
        Self::ALL.into_iter().find(|target| target.name() == text).ok_or_else(|| ExportError::Stream {
            what: format!("{text:?} is none of the templates"),
            remedy: "use bare, arduino, esp-idf or zephyr",
        })
    }
}

/// The files of a folder, paths below it and texts. `hop` is as in [`stream`](super::stream()).
///
/// # Errors
/// As [`export`] and [`stream`](super::stream()).
pub fn template(
    model: &Model<'_>,
    name: &str,
    target: Target,
    hop: Option<u32>,
) -> Result<Vec<(String, String)>, ExportError> {
    let fed = stream::stream(model, name, hop)?;
    // Samples for the test are asked for, which a template has not.
    let network = export(model, name, &vec![0.0; model.network().input_len()])?;
    let Some(signal) = model.feed().and_then(|feed| feed.signal) else {
        return Err(crate::InferError::Internal.into());
    };
    let chain = signal.chain;
    let flash = constant_bytes(model) + feed::constant_bytes(model) + fed.table_bytes;
    let channels = match signal.channels.len() {
        1 => "one channel".to_owned(),
        n => format!("{n} channels"),
    };
    let (place, how) = target.place();
    let mut pairs = vec![
        ("NAME", name.to_owned()),
        ("UPPER", name.to_ascii_uppercase()),
        ("RATE_WORDS", chain.rate_hz.map_or(String::new(), |rate| format!(" at {rate} Hz"))),
        ("PERIOD", chain.rate_hz.map_or(1000, |rate| (1e6 / rate).round().max(1.0) as u32).to_string()),
        (
            "PERIOD_WORDS",
            if chain.rate_hz.is_some() { "" } else { ": the model does not say its rate, set it" }.to_owned(),
        ),
        ("CHANNEL_WORDS", channels),
        ("WINDOW", chain.window.to_string()),
        ("STREAM_HOP", hop.unwrap_or(chain.hop).to_string()),
        ("CLASSES", model.network().classes.to_string()),
        ("FLASH", flash.to_string()),
        ("RAM", fed.ram_bytes.to_string()),
    ];
    pairs.push(("HOW", fill(how, &pairs)));
    let mut files: Vec<(String, String)> = [
        (format!("{place}{name}.h"), network.header),
        (format!("{place}{name}.c"), network.source),
        (format!("{place}{name}_stream.h"), fed.header),
        (format!("{place}{name}_stream.c"), fed.source),
    ]
    .into_iter()
    .map(|(path, text)| (fill(&path, &pairs), text))
    .collect();
    for (path, text) in target.files().iter().copied().chain([("README.md", include_str!("template/README.md"))]) {
        files.push((fill(path, &pairs), fill(text, &pairs)));
    }
    Ok(files)
}
