//! Rows in the binary format of COPY, as PostgreSQL's documentation of COPY lays it out. COPY writes
//! many rows of one table with less of everything than an INSERT over arrays: no executor around
//! each row, and one WAL record for a page of them. It costs some round trips more, so it is for many.

use sqlx::PgConnection;
use stepwell_workflow::Time;
use uuid::Uuid;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// What PostgreSQL counts from: 2000-01-01 00:00 UTC, in microseconds of the Unix epoch.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// In the place of a length: the field is null.
const NULL: i32 = -1;
/// In the place of a row's number of fields: there are no more rows.
const END: i16 = -1;

/// Rows of one table, field by field in the order of the statement's columns.
#[derive(Debug)]
pub(crate) struct CopyRows {
    bytes: Vec<u8>,
}

impl CopyRows {
    /// `expected`: about how many bytes there will be.
    pub(crate) fn new(expected: usize) -> Self {
        let mut bytes = Vec::with_capacity(expected);
        bytes.extend_from_slice(SIGNATURE);
        // No flags, and no extension of the header.
        bytes.extend_from_slice(&[0; 8]);
        Self { bytes }
    }

    /// Begins a row of so many fields.
    pub(crate) fn row(&mut self, fields: i16) -> &mut Self {
        self.bytes.extend_from_slice(&fields.to_be_bytes());
        self
    }

    pub(crate) fn int2(&mut self, value: i16) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    pub(crate) fn int4(&mut self, value: i32) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    pub(crate) fn int8(&mut self, value: i64) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    pub(crate) fn uuid(&mut self, value: Uuid) -> &mut Self {
        self.field(value.as_bytes())
    }

    pub(crate) fn uuid_or_null(&mut self, value: Option<Uuid>) -> &mut Self {
        match value {
            Some(value) => self.uuid(value),
            None => self.null(),
        }
    }

    pub(crate) fn moment(&mut self, value: Time) -> &mut Self {
        self.int8(value.timestamp_micros().saturating_sub(EPOCH_MICROS))
    }

    pub(crate) fn moment_or_null(&mut self, value: Option<Time>) -> &mut Self {
        match value {
            Some(value) => self.moment(value),
            None => self.null(),
        }
    }

    /// A field of `text`, `json` or an enum.
    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.field(value.as_bytes())
    }

    pub(crate) fn text_or_null(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    /// A word that needs no escaping, as a JSON string.
    pub(crate) fn json_word_or_null(&mut self, word: Option<&str>) -> &mut Self {
        let Some(word) = word else {
            return self.null();
        };
        self.length(word.len() + 2);
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(word.as_bytes());
        self.bytes.push(b'"');
        self
    }

    fn null(&mut self) -> &mut Self {
        self.bytes.extend_from_slice(&NULL.to_be_bytes());
        self
    }

    fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn length(&mut self, length: usize) {
        // Payloads are bounded far below; PostgreSQL refuses what is longer.
        let length = i32::try_from(length).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
    }

    /// Writes them; `statement` is a `copy … from stdin (format binary)`.
    pub(crate) async fn write(
        mut self,
        connection: &mut PgConnection,
        statement: &str,
    ) -> Result<(), sqlx::Error> {
        self.bytes.extend_from_slice(&END.to_be_bytes());
        let mut copy = connection.copy_in_raw(statement).await?;
        copy.send(self.bytes).await?;
        copy.finish().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_laid_out_as_documented() {
        let mut rows = CopyRows::new(0);
        let at = Time::from_timestamp_micros(EPOCH_MICROS + 5).unwrap();
        rows.row(5)
            .int2(7)
            .text("ä")
            .uuid_or_null(None)
            .moment(at)
            .json_word_or_null(Some("ok"));
        let mut expected = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        expected.extend_from_slice(b"\0\x05\0\0\0\x02\0\x07\0\0\0\x02\xc3\xa4\xff\xff\xff\xff");
        expected.extend_from_slice(b"\0\0\0\x08\0\0\0\0\0\0\0\x05\0\0\0\x04\"ok\"");
        assert_eq!(rows.bytes, expected);
    }
}
