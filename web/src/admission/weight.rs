//! What a JSON text takes once it is read: sixteen times its length, when it is all small numbers.

/// Bytes of a value in memory, beside its text: each has a comma, a colon or a bracket before it.
const VALUE_BYTES: usize = 64;
/// How often a text is in memory: as it came, and as what it is read into.
const COPIES: usize = 2;

/// The weight of a text that comes in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weight {
    bytes: usize,
    values: usize,
}

impl Weight {
    /// Adds a piece.
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len();
        // Those within strings count as well: nearly right is enough, and this is fast.
        let separates = |byte: &&u8| matches!(byte, b',' | b':' | b'[' | b'{');
        self.values += piece.iter().filter(separates).count();
    }

    /// Returns KiB.
    pub(crate) const fn kib(self) -> usize {
        kib(self.bytes * COPIES + self.values * VALUE_BYTES)
    }
}

/// Rounds bytes up to KiB.
pub(crate) const fn kib(bytes: usize) -> usize {
    bytes.div_ceil(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::Weight;

    #[test]
    fn small_numbers_weigh_more_than_text() {
        let weight = |text: &str| {
            let mut weight = Weight::default();
            text.as_bytes()
                .chunks(7)
                .for_each(|piece| weight.add(piece));
            weight.kib()
        };
        assert_eq!(weight(&"x".repeat(10 << 10)), 20);
        assert_eq!(weight(&"0,".repeat(5 << 10)), 20 + 320);
    }
}
