//! Sizes, offsets and codes of the byte table in `docs/reference/format.md`.

/// First bytes of a file. The first has its high bit set and the line ends are of both kinds, so that a transfer as text
/// damages it visibly.
pub(crate) const MAGIC: [u8; 8] = *b"\x89BSNN\r\n\x1a";
/// Endianness mark.
pub(crate) const ENDIAN: u32 = 0x0A0B_0C0D;
/// Bytes in front of the section table.
pub(crate) const HEADER: usize = 28;
/// Bytes of an entry of the section table.
pub(crate) const ENTRY: usize = 16;
/// Offset of the checksum of all bytes before it, and bytes of header, section table and checksum, for so many sections.
pub(crate) const fn front(sections: usize) -> (usize, usize) {
    let checksum = HEADER + sections * ENTRY;
    (checksum, checksum + 4)
}
/// Bits of the network's flags.
pub(crate) mod flag {
    pub(crate) const NORMALISE: u16 = 1;
    pub(crate) const SEQUENCE: u16 = 2;
    /// Layers after the first have integers, and there is a section INTEGERS.
    pub(crate) const INTEGERS: u16 = 4;
}
/// Sections start at multiples of this.
pub(crate) const ALIGN: usize = 16;
/// Bytes in front of the records in LAYERS.
pub(crate) const NETWORK: usize = 16;
/// Bytes of a record.
pub(crate) const RECORD: usize = 32;

/// Offsets in the header.
pub(crate) mod at {
    pub(crate) const VERSION: usize = 8;
    pub(crate) const SECTIONS: usize = 10;
    pub(crate) const ENDIAN: usize = 12;
    pub(crate) const LENGTH: usize = 16;
    pub(crate) const ZERO: usize = 20;
}

/// Kinds of layer.
pub(crate) mod kind {
    pub(crate) const REAL_BLOCK: u8 = 1;
    pub(crate) const BINARY_BLOCK: u8 = 2;
    pub(crate) const RESIDUAL: u8 = 3;
    pub(crate) const NEURONS: u8 = 4;
    pub(crate) const HEAD: u8 = 5;
}

/// Kinds of gate, and flags of one.
pub(crate) mod gate {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const FIXED: u8 = 1;
    pub(crate) const SAMPLE: u8 = 2;
    pub(crate) const SAMPLE_PER_CHANNEL: u8 = 3;
    /// Every current has its own factor, with the hard function; version 4.
    pub(crate) const ELEMENT: u8 = 4;
    /// α, or the fixed factor, has a value per channel.
    pub(crate) const PER_CHANNEL: u8 = 1;
    /// α stands inside σ.
    pub(crate) const INSIDE: u8 = 2;
    /// The function is the hard one; version 4, and gates per sample alone.
    pub(crate) const HARD: u8 = 4;
}

/// Value of the field `reset` where a block has no neurons.
pub(crate) const NO_NEURON: u8 = 2;

/// A record, field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) kind: u8,
    pub(crate) pool: u8,
    pub(crate) gate: u8,
    pub(crate) gate_flags: u8,
    pub(crate) reset: u8,
    pub(crate) kernel: u8,
    pub(crate) stride: u8,
    pub(crate) padding: u8,
    pub(crate) c_in: u16,
    pub(crate) c_out: u16,
    pub(crate) rows: u16,
    pub(crate) columns: u16,
    pub(crate) decay: f32,
    pub(crate) threshold: f32,
    pub(crate) projected: u8,
    /// Of layers with integers, and of a stem in front of them.
    pub(crate) shift: u8,
    /// Bytes of a slope, or of a weight of the head.
    pub(crate) word: u8,
    pub(crate) shortcut_shift: u8,
    /// As `kernel` and `padding`, along the rows; from version 3 on.
    pub(crate) kernel_rows: u8,
    pub(crate) padding_rows: u8,
    pub(crate) zero: [u8; 2],
}

impl Record {
    pub(crate) fn read(b: &[u8; RECORD]) -> Self {
        let u16_at = |i: usize| u16::from_le_bytes([b[i], b[i + 1]]);
        let f32_at = |i: usize| f32::from_le_bytes([b[i], b[i + 1], b[i + 2], b[i + 3]]);
        Self {
            kind: b[0],
            pool: b[1],
            gate: b[2],
            gate_flags: b[3],
            reset: b[4],
            kernel: b[5],
            stride: b[6],
            padding: b[7],
            c_in: u16_at(8),
            c_out: u16_at(10),
            rows: u16_at(12),
            columns: u16_at(14),
            decay: f32_at(16),
            threshold: f32_at(20),
            projected: b[24],
            shift: b[25],
            word: b[26],
            shortcut_shift: b[27],
            kernel_rows: b[28],
            padding_rows: b[29],
            zero: [b[30], b[31]],
        }
    }

    #[cfg(feature = "std")]
    pub(crate) fn bytes(&self) -> [u8; RECORD] {
        let mut b = [0; RECORD];
        b[..8].copy_from_slice(&[
            self.kind,
            self.pool,
            self.gate,
            self.gate_flags,
            self.reset,
            self.kernel,
            self.stride,
            self.padding,
        ]);
        for (i, v) in [self.c_in, self.c_out, self.rows, self.columns].into_iter().enumerate() {
            b[8 + 2 * i..10 + 2 * i].copy_from_slice(&v.to_le_bytes());
        }
        b[16..20].copy_from_slice(&self.decay.to_le_bytes());
        b[20..24].copy_from_slice(&self.threshold.to_le_bytes());
        b[24..28].copy_from_slice(&[self.projected, self.shift, self.word, self.shortcut_shift]);
        b[28..30].copy_from_slice(&[self.kernel_rows, self.padding_rows]);
        b
    }
}
