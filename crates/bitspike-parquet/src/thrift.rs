//! The few fields of Thrift's compact protocol that have to be known before the crate `parquet` sees them.
//!
//! ```text
//! field   (step of the id << 4 | type), or type and id as zigzag varint; 0 ends a structure
//! list    (size << 4 | type of elements), 15 for a size as varint
//! ```
//!
//! The footer is a structure whose field 2 lists the nodes of the schema, in which field 5 is the number of children. The
//! crate reserves memory for so many and descends by recursion. A page header begins with the fields 1 to 3: type,
//! size unpacked, size packed; lengths of bytes in the rest are memory that the crate reserves and clears. Source: the Thrift and Parquet format descriptions of Apache.

/// Structures within structures that are skipped.
const DEPTH: u32 = 32;
/// Levels of the schema.
const LEVELS: usize = 64;

/// A place in bytes.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn advance(&mut self, n: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(n).ok()?..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut v = 0;
        for shift in (0..64).step_by(7) {
            let b = self.byte()?;
            v |= u64::from(b & 0x7f) << shift;
            if b < 0x80 {
                return Some(v);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let v = self.varint()?;
        // Both halves fit: bits of a number without a sign, shifted by one.
        Some((v >> 1) as i64 ^ -((v & 1) as i64))
    }

    /// Id and type of the next field; type 0 ends the structure.
    fn field(&mut self, last: &mut i64) -> Option<u8> {
        let b = self.byte()?;
        if b & 0x0f != 0 {
            *last = match b >> 4 {
                0 => self.zigzag()?,
                step => last.checked_add(i64::from(step))?,
            };
        }
        Some(b & 0x0f)
    }

    /// Size and type of the elements of a list.
    fn list(&mut self) -> Option<(u64, u8)> {
        let b = self.byte()?;
        let size = if b >> 4 == 15 { self.varint()? } else { u64::from(b >> 4) };
        // Every element has a byte.
        (size <= self.0.len() as u64).then_some((size, b & 0x0f))
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            1 | 2 => Some(()),
            3 => self.advance(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.advance(8),
            8 => {
                let n = self.varint()?;
                self.advance(n)
            }
            9 | 10 => {
                let (size, kind) = self.list()?;
                for _ in 0..size {
                    if matches!(kind, 1 | 2) { self.advance(1)? } else { self.skip(kind, depth)? }
                }
                Some(())
            }
            12 => {
                let mut id = 0;
                loop {
                    match self.field(&mut id)? {
                        0 => return Some(()),
                        kind => self.skip(kind, depth)?,
                    }
                }
            }
            // Maps and unique identifiers occur nowhere in Parquet's structures.
            _ => None,
        }
    }
}

/// Checks that the nodes of the schema are a tree of the size and depth that they claim.
pub(crate) fn check_schema(footer: &[u8]) -> Result<(), String> {
    let children = schema(footer).ok_or("the list of columns cannot be read")?;
    // Children that are still to come, of each open level.
    let mut open: Vec<u64> = Vec::new();
    for (i, n) in children.iter().enumerate() {
        while open.last() == Some(&0) {
            open.pop();
        }
        match open.last_mut() {
            Some(left) => *left -= 1,
            None if i > 0 => return Err(format!("node {i} of the schema belongs to no other")),
            None => {}
        }
        if *n > children.len() as u64 {
            return Err(format!("node {i} of the schema claims {n} children of {} nodes", children.len()));
        }
        if *n > 0 {
            open.push(*n);
        }
        if open.len() > LEVELS {
            return Err(format!("the schema has more than {LEVELS} levels"));
        }
    }
    match open.iter().any(|n| *n > 0) {
        true => Err("nodes of the schema are missing".to_owned()),
        false => Ok(()),
    }
}

/// Number of children of each node.
fn schema(footer: &[u8]) -> Option<Vec<u64>> {
    let (mut scan, mut id) = (Scan(footer), 0);
    loop {
        let kind = scan.field(&mut id)?;
        match (id, kind) {
            (_, 0) => return None,
            (2, 9) => break,
            _ => scan.skip(kind, DEPTH)?,
        }
    }
    let (size, 12) = scan.list()? else { return None };
    let mut all = Vec::new();
    for _ in 0..size {
        let (mut id, mut children) = (0, 0);
        loop {
            let kind = scan.field(&mut id)?;
            match (id, kind) {
                (_, 0) => break,
                (5, 5) => children = u64::try_from(scan.zigzag()?).ok()?,
                _ => scan.skip(kind, DEPTH)?,
            }
        }
        all.push(children);
    }
    Some(all)
}

/// Sizes of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PageSizes {
    pub(crate) unpacked: u64,
    pub(crate) packed: u64,
    /// Bytes before the packed part: levels of version 2.
    pub(crate) levels: u64,
}

/// Sizes of a page from its header, all of which is there: no length in it reaches beyond.
pub(crate) fn page_header(header: &[u8]) -> Option<PageSizes> {
    let (mut scan, mut id) = (Scan(header), 0);
    let mut number = |expected| (scan.field(&mut id)? == 5 && id == expected).then(|| scan.zigzag())?;
    number(1)?;
    let (unpacked, packed) = (number(2)?, number(3)?);
    let mut levels = 0u64;
    loop {
        match (scan.field(&mut id)?, id) {
            (0, _) => break,
            // The header of a page of version 2: its fields 5 and 6 are lengths of levels.
            (12, 8) => {
                let mut id = 0;
                loop {
                    match (scan.field(&mut id)?, id) {
                        (0, _) => break,
                        (5, 5 | 6) => levels = levels.checked_add(u64::try_from(scan.zigzag()?).ok()?)?,
                        (kind, _) => scan.skip(kind, DEPTH)?,
                    }
                }
            }
            (kind, _) => scan.skip(kind, DEPTH)?,
        }
    }
    Some(PageSizes { unpacked: u64::try_from(unpacked).ok()?, packed: u64::try_from(packed).ok()?, levels })
}

/// Number of values that a block of delta-packed integers claims, and miniblocks in a block.
pub(crate) fn delta_header(data: &[u8]) -> Option<(u64, u64)> {
    let mut scan = Scan(data);
    let (_block, mini, count) = (scan.varint()?, scan.varint()?, scan.varint()?);
    Some((count, mini))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A footer with a version and nodes of so many children.
    fn footer(children: &[u8]) -> Vec<u8> {
        let mut b = vec![0x15, 2, 0x19, (children.len() as u8) << 4 | 12];
        for n in children {
            // Field 4: a name; field 5: children, if any.
            b.extend([0x48, 1, b'c']);
            if *n > 0 {
                b.extend([0x15, 2 * n]);
            }
            b.push(0);
        }
        b
    }

    #[test]
    fn a_schema_is_a_tree() {
        for good in [&[2, 0, 0][..], &[2, 1, 0, 0], &[1, 1, 0], &[0]] {
            assert_eq!(check_schema(&footer(good)), Ok(()), "{good:?}");
        }
        for (bad, part) in [
            (&[3, 0, 0][..], "missing"),
            (&[1, 0, 0], "belongs to no other"),
            (&[60, 0, 0], "claims 60"),
            (&[0, 0], "belongs to no other"),
        ] {
            let e = check_schema(&footer(bad)).unwrap_err();
            assert!(e.contains(part), "{bad:?}: {e}");
        }
        let whole = footer(&[2, 0, 0]);
        assert!((0..whole.len()).all(|n| check_schema(&whole[..n]).is_err()));
        let mut deep = vec![0x15, 2, 0x19, 0xfc, 100];
        (0..99).for_each(|_| deep.extend([0x55, 2, 0]));
        deep.push(0);
        assert!(check_schema(&deep).unwrap_err().contains("64 levels"));
    }

    #[test]
    fn sizes_of_a_page() {
        let sizes = |unpacked, packed, levels| Some(PageSizes { unpacked, packed, levels });
        assert_eq!(page_header(&[0x15, 0, 0x15, 0x80, 1, 0x15, 6, 0]), sizes(64, 3, 0));
        assert_eq!(page_header(&[0x15, 0, 0x15, 0x80, 1, 0x15, 6]), None, "without its end");
        assert_eq!(page_header(&[0x15, 0, 0x15, 1, 0x15, 6, 0]), None, "negative");
        assert_eq!(page_header(&[0x15, 0, 0x25, 2, 0x15, 6, 0]), None, "another field");
        // A structure as field 5, with bytes as its field 1: as many as are there, and more.
        assert_eq!(page_header(&[0x15, 0, 0x15, 2, 0x15, 6, 0x2c, 0x18, 2, b'a', b'b', 0, 0]), sizes(1, 3, 0));
        // A structure as field 8, with numbers as its fields 4 to 6.
        let second = [0x15, 0, 0x15, 2, 0x15, 6, 0x5c, 0x45, 2, 0x15, 8, 0x15, 10, 0, 0];
        assert_eq!(page_header(&second), sizes(1, 3, 9));
        assert_eq!(page_header(&[0x15, 0, 0x15, 2, 0x15, 6, 0x2c, 0x18, 0xff, 0xff, 0xff, 0x7f, 0, 0]), None);
    }
}
