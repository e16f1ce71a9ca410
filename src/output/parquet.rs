//! One row a handshake, with the nested columns of docs/SCHEMA.md, as Parquet (<https://parquet.apache.org>), for DuckDB and its like.
//!
//! The columns are those of the schema whatever the capture holds, so that files of different captures can be read together. Times are text
//! in RFC 3339, as everywhere.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::{Decoder, infer_json_schema_from_iterator};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::report::{HandshakeReport, example};

/// Writes Parquet.
#[derive(Debug)]
pub struct ParquetSink {
    writer: ArrowWriter<File>,
    decoder: Decoder,
    rows: Vec<HandshakeReport>,
}

impl ParquetSink {
    /// Begins a file; one that is there is replaced.
    pub fn create(path: &Path) -> io::Result<Self> {
        let schema = Arc::new(infer_json_schema_from_iterator(std::iter::once(Ok::<_, ArrowError>(example()))).map_err(io::Error::other)?);
        let decoder = ReaderBuilder::new(Arc::clone(&schema)).with_batch_size(ROWS).build_decoder().map_err(io::Error::other)?;
        let level = ZstdLevel::try_new(3).map_err(io::Error::other)?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let writer = ArrowWriter::try_new(File::create(path)?, schema, Some(properties)).map_err(io::Error::other)?;
        Ok(Self { writer, decoder, rows: Vec::new() })
    }

    /// Takes a handshake.
    pub fn take(&mut self, report: &HandshakeReport) -> io::Result<()> {
        self.rows.push(report.clone());
        if self.rows.len() >= ROWS { self.write() } else { Ok(()) }
    }

    /// Writes what is held back and ends the file.
    pub fn finish(mut self) -> io::Result<()> {
        self.write()?;
        self.writer.close().map_err(io::Error::other)?;
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        self.decoder.serialize(&self.rows).map_err(io::Error::other)?;
        self.rows.clear();
        if let Some(batch) = self.decoder.flush().map_err(io::Error::other)? {
            self.writer.write(&batch).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// Rows written at a time.
const ROWS: usize = 1024;
