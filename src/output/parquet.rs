//! One row a handshake, with the nested columns of docs/SCHEMA.md, as Parquet (<https://parquet.apache.org>), for DuckDB and its like.
//!
//! The columns are those of the schema whatever the capture holds, so that files of different captures can be read together; the timeline, which
//! `read` leaves out, has none. Times are timestamps in UTC, with nanoseconds but in a data set. What a handshake does not have is null.
//!
//! The fields of each report are cut into columns as they come, with repetition and definition levels (Dremel's striping). Every field is
//! optional, lists are the format's three-level lists.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::report::schema::{Field, HANDSHAKE, INCIDENT, Kind, SUMMARY, TALLY};
use crate::report::{Counts, Handshake, Incident, Key, Sink, Summary, VERSION, Writer};
use crate::time::Timestamp;

/// Writes Parquet: a table of handshakes, and where wanted tables of incidents and of the summary.
#[derive(Debug)]
pub struct ParquetSink<W: Write + Send> {
    handshakes: Table<W>,
    beside: Option<(Table<W>, Table<W>)>,
}

impl<W: Write + Send> ParquetSink<W> {
    /// Begins a file, and two for incidents and the summary.
    pub fn new(handshakes: W, beside: Option<(W, W)>) -> io::Result<Self> {
        let beside = match beside {
            Some((incidents, summary)) => {
                Some((Table::new(incidents, Rows::Incidents, Unit::Nanos)?, Table::new(summary, Rows::Summary, Unit::Nanos)?))
            }
            None => None,
        };
        Ok(Self { handshakes: Table::new(handshakes, Rows::Handshakes, Unit::Nanos)?, beside })
    }

    /// Writes what is held back and ends the files: handshakes, incidents, summary.
    pub fn finish(self) -> io::Result<Vec<W>> {
        let mut all = vec![self.handshakes.finish()?];
        if let Some((incidents, summary)) = self.beside {
            all.extend([incidents.finish()?, summary.finish()?]);
        }
        Ok(all)
    }
}

impl<W: Write + Send> Sink for ParquetSink<W> {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        self.handshakes.row(|cutter| handshake.write(cutter))
    }

    fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        match &mut self.beside {
            Some((incidents, _)) => incidents.row(|cutter| incident.write(cutter)),
            None => Ok(()),
        }
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        match &mut self.beside {
            Some((_, rows)) => rows.row(|cutter| summary.write(cutter)),
            None => Ok(()),
        }
    }
}

/// What the rows of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rows {
    Handshakes,
    Incidents,
    Summary,
    Tallies,
}

impl Rows {
    /// Their name in the file, and the columns.
    fn columns(self) -> (&'static str, Vec<Field>) {
        match self {
            Self::Handshakes => ("handshake", HANDSHAKE.iter().filter(|field| field.name != "timeline").copied().collect()),
            Self::Incidents => ("incident", INCIDENT.to_vec()),
            Self::Summary => ("summary", SUMMARY.to_vec()),
            Self::Tallies => ("tally", TALLY.to_vec()),
        }
    }
}

/// What times are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// As captures have them.
    Nanos,
    /// As every engine reads them: Spark refuses files with nanoseconds.
    Micros,
}

impl Unit {
    const fn of(self, time: Timestamp) -> i64 {
        match self {
            Self::Nanos => time.nanos(),
            Self::Micros => time.nanos().div_euclid(1000),
        }
    }

    fn logical(self) -> LogicalType {
        let unit = match self {
            Self::Nanos => TimeUnit::NANOS,
            Self::Micros => TimeUnit::MICROS,
        };
        LogicalType::timestamp(true, unit)
    }
}

/// A file with rows of one kind.
pub(super) struct Table<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    unit: Unit,
    fields: Vec<Node>,
    columns: Vec<Column>,
    rows: usize,
    /// Bytes that the texts in those take.
    bytes: usize,
}

impl<W: Write + Send> std::fmt::Debug for Table<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("columns", &self.columns.len()).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl<W: Write + Send> Table<W> {
    /// Begins a file with the columns of these rows. Counts by words have none: their words are not known beforehand.
    pub(super) fn new(out: W, rows: Rows, unit: Unit) -> io::Result<Self> {
        let (name, known) = rows.columns();
        let mut columns = Vec::new();
        let (mut fields, mut types) = (Vec::new(), Vec::new());
        for field in known.iter().filter(|field| !matches!(field.kind, Kind::Counts)) {
            let (node, of) = plan(field.name, field.kind, unit, &mut columns).map_err(other)?;
            fields.push(node);
            types.push(of);
        }
        let schema = Type::group_type_builder(name).with_fields(types).build().map_err(other)?;
        let level = ZstdLevel::try_new(3).map_err(other)?;
        let creator = format!("handshark {VERSION}");
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).set_created_by(creator).build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map_err(other)?;
        Ok(Self { writer, unit, fields, columns, rows: 0, bytes: 0 })
    }

    /// Writes what is held back and ends the file.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write()?;
        self.writer.into_inner().map_err(other)
    }

    /// Rows that are held back, and the bytes of their texts.
    pub(super) const fn held(&self) -> (usize, usize) {
        (self.rows, self.bytes)
    }

    /// Bytes written so far.
    pub(super) fn written(&self) -> usize {
        self.writer.bytes_written()
    }

    /// Takes a row.
    pub(super) fn row(&mut self, fields: impl FnOnce(&mut Cutter<'_>)) -> io::Result<()> {
        let Self { fields: nodes, unit, columns, bytes, .. } = self;
        let mut cutter = Cutter { fields: nodes, place: Place::default(), unit: *unit, columns, bytes };
        fields(&mut cutter);
        cutter.end();
        self.rows = self.rows.saturating_add(1);
        if self.rows >= ROWS || self.bytes >= BYTES { self.write() } else { Ok(()) }
    }

    /// Writes the rows that are held back.
    pub(super) fn write(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        (self.rows, self.bytes) = (0, 0);
        let mut group = self.writer.next_row_group().map_err(other)?;
        for column in &mut self.columns {
            if let Some(mut writer) = group.next_column().map_err(other)? {
                column.write(&mut writer).map_err(other)?;
                writer.close().map_err(other)?;
            }
        }
        group.close().map_err(other)?;
        Ok(())
    }
}

/// A field of the schema.
struct Node {
    name: &'static str,
    of: Of,
}

/// What a field holds.
enum Of {
    Group(Vec<Node>),
    List(Box<Self>),
    /// The column of its values.
    Leaf(usize),
}

/// Where in a row a value stands.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Repetition level: of the innermost list that goes on here.
    level: i16,
    /// Definition level: how much of the way from the root is there.
    definition: i16,
    /// How many lists are around it.
    lists: i16,
}

impl Place {
    const fn deeper(self, by: i16) -> Self {
        Self { definition: self.definition.saturating_add(by), ..self }
    }

    /// The place of a list's item.
    const fn item(self, index: usize) -> Self {
        let lists = self.lists.saturating_add(1);
        Self { level: if index == 0 { self.level } else { lists }, definition: self.definition.saturating_add(2), lists }
    }
}

impl Of {
    /// Nothing is here.
    fn absent(&self, place: Place, columns: &mut [Column]) {
        match self {
            Self::Leaf(column) => {
                if let Some(column) = columns.get_mut(*column) {
                    column.put(None, place);
                }
            }
            Self::Group(fields) => fields.iter().for_each(|field| field.of.absent(place, columns)),
            Self::List(item) => item.absent(Place { lists: place.lists.saturating_add(1), ..place }, columns),
        }
    }

    fn leaf(&self, value: Value, place: Place, columns: &mut [Column]) {
        match self {
            Self::Leaf(column) => {
                if let Some(column) = columns.get_mut(*column) {
                    column.put(Some(value), place);
                }
            }
            // The schema says something else.
            other => other.absent(place, columns),
        }
    }
}

/// Cuts fields into columns. They come in the schema's order: those that are passed over are not there.
pub(super) struct Cutter<'a> {
    /// Those of the object at hand that are still to come.
    fields: &'a [Node],
    place: Place,
    unit: Unit,
    columns: &'a mut [Column],
    /// Counts the bytes that texts take.
    bytes: &'a mut usize,
}

impl<'a> Cutter<'a> {
    /// Passes over the fields before this one, and gives what it holds; `None` for one that has no column.
    fn pass(&mut self, key: Key) -> Option<&'a Of> {
        let at = self.fields.iter().position(|field| field.name == key.name)?;
        let (passed, rest) = self.fields.split_at_checked(at)?;
        let (field, rest) = rest.split_first()?;
        for field in passed {
            field.of.absent(self.place, self.columns);
        }
        self.fields = rest;
        Some(&field.of)
    }

    /// What is inside of something at this place.
    fn inside(&mut self, of: &'a Of, place: Place, fields: impl FnOnce(&mut Self)) {
        let Of::Group(inner) = of else { return of.absent(place, self.columns) };
        let outer = (std::mem::replace(&mut self.fields, inner), std::mem::replace(&mut self.place, place));
        fields(self);
        self.end();
        (self.fields, self.place) = outer;
    }

    /// No more fields come.
    fn end(&mut self) {
        for field in self.fields {
            field.of.absent(self.place, self.columns);
        }
    }

    fn value(&mut self, key: Key, value: Value) {
        if let Some(of) = self.pass(key) {
            self.leaf(of, value, self.place);
        }
    }

    fn leaf(&mut self, of: &Of, value: Value, place: Place) {
        if let Value::Text(text) = &value {
            *self.bytes = self.bytes.saturating_add(size_of::<ByteArray>()).saturating_add(text.len());
        }
        of.leaf(value, place.deeper(1), self.columns);
    }

    fn values<T>(&mut self, key: Key, items: impl IntoIterator<Item = T>, mut item: impl FnMut(&mut Self, &'a Of, Place, T)) {
        let Some(Of::List(of)) = self.pass(key) else { return };
        let mut empty = true;
        for (index, one) in items.into_iter().enumerate() {
            empty = false;
            let place = self.place.item(index);
            item(self, of, place, one);
        }
        if empty {
            of.absent(Place { lists: self.place.lists.saturating_add(1), ..self.place.deeper(1) }, self.columns);
        }
    }
}

impl Writer for Cutter<'_> {
    fn text(&mut self, key: Key, value: &str) {
        self.value(key, Value::text(value));
    }

    fn number(&mut self, key: Key, value: u64) {
        self.value(key, Value::integer(value));
    }

    fn flag(&mut self, key: Key, value: bool) {
        self.value(key, Value::Flag(value));
    }

    fn time(&mut self, key: Key, value: Timestamp) {
        self.value(key, Value::Integer(self.unit.of(value)));
    }

    fn texts<T: AsRef<str>>(&mut self, key: Key, values: impl IntoIterator<Item = T>) {
        self.values(key, values, |cutter, of, place, value| cutter.leaf(of, Value::text(value.as_ref()), place));
    }

    fn numbers(&mut self, key: Key, values: impl IntoIterator<Item = u64>) {
        self.values(key, values, |cutter, of, place, value| cutter.leaf(of, Value::integer(value), place));
    }

    fn object(&mut self, key: Key, fields: impl FnOnce(&mut Self)) {
        if let Some(of) = self.pass(key) {
            self.inside(of, self.place.deeper(1), fields);
        }
    }

    fn objects<T>(&mut self, key: Key, items: impl IntoIterator<Item = T>, mut fields: impl FnMut(&mut Self, T)) {
        self.values(key, items, |cutter, of, place, item| cutter.inside(of, place.deeper(1), |cutter| fields(cutter, item)));
    }

    fn counts(&mut self, key: Key, _: &Counts) {
        let _ = self.pass(key);
    }

    fn wants(&self, key: Key) -> bool {
        self.fields.iter().any(|field| field.name == key.name)
    }
}

/// A value of a column.
enum Value {
    Text(ByteArray),
    Integer(i64),
    Flag(bool),
}

impl Value {
    fn text(text: &str) -> Self {
        Self::Text(ByteArray::from(text))
    }

    fn integer(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// The values of one column that are still to be written.
struct Column {
    values: Values,
    definitions: Vec<i16>,
    levels: Vec<i16>,
}

enum Values {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Flag(Vec<bool>),
}

impl Column {
    /// Takes a value, whose definition level is that of `place`. Nothing, or one of another kind than the schema says, is null.
    fn put(&mut self, value: Option<Value>, place: Place) {
        let there = match (&mut self.values, value) {
            (_, None) => true,
            (Values::Text(list), Some(Value::Text(text))) => {
                list.push(text);
                true
            }
            (Values::Integer(list), Some(Value::Integer(number))) => {
                list.push(number);
                true
            }
            (Values::Flag(list), Some(Value::Flag(flag))) => {
                list.push(flag);
                true
            }
            _ => false,
        };
        self.levels.push(place.level);
        self.definitions.push(if there { place.definition } else { place.definition.saturating_sub(1) });
    }

    /// Writes and gives the memory back: a data set has many tables, of which few are written at a time.
    fn write(&mut self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let (definitions, levels) = (Some(self.definitions.as_slice()), Some(self.levels.as_slice()));
        match &mut self.values {
            Values::Text(list) => {
                writer.typed::<ByteArrayType>().write_batch(list, definitions, levels)?;
                *list = Vec::new();
            }
            Values::Integer(list) => {
                writer.typed::<Int64Type>().write_batch(list, definitions, levels)?;
                *list = Vec::new();
            }
            Values::Flag(list) => {
                writer.typed::<BoolType>().write_batch(list, definitions, levels)?;
                *list = Vec::new();
            }
        }
        (self.definitions, self.levels) = (Vec::new(), Vec::new());
        Ok(())
    }
}

/// The node and the type of a field. Bounded by the schema's depth.
fn plan(name: &'static str, kind: Kind, unit: Unit, columns: &mut Vec<Column>) -> Result<(Node, TypePtr), ParquetError> {
    let (of, written) = plan_as(name, kind, unit, columns)?;
    Ok((Node { name, of }, written))
}

/// The same of a field that is called so in the file.
fn plan_as(name: &str, kind: Kind, unit: Unit, columns: &mut Vec<Column>) -> Result<(Of, TypePtr), ParquetError> {
    let mut leaf = |values: Values, physical: Physical, logical: Option<LogicalType>| {
        let of = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL).with_logical_type(logical).build()?;
        columns.push(Column { values, definitions: Vec::new(), levels: Vec::new() });
        Ok((Of::Leaf(columns.len().saturating_sub(1)), Arc::new(of)))
    };
    match kind {
        Kind::Text | Kind::Word(_) => leaf(Values::Text(Vec::new()), Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Time => leaf(Values::Integer(Vec::new()), Physical::INT64, Some(unit.logical())),
        Kind::Flag => leaf(Values::Flag(Vec::new()), Physical::BOOLEAN, None),
        Kind::Integer => leaf(Values::Integer(Vec::new()), Physical::INT64, None),
        Kind::List(item) => {
            let (item, of) = plan_as("element", *item, unit, columns)?;
            let repeated = Type::group_type_builder("list").with_repetition(Repetition::REPEATED).with_fields(vec![of]).build()?;
            let list = Type::group_type_builder(name)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(Some(LogicalType::List))
                .with_fields(vec![Arc::new(repeated)])
                .build()?;
            Ok((Of::List(Box::new(item)), Arc::new(list)))
        }
        Kind::Object(_) | Kind::Counts => {
            let known: &[Field] = if let Kind::Object(fields) = kind { fields } else { &[] };
            let (mut nodes, mut types) = (Vec::new(), Vec::new());
            for field in known {
                let (node, of) = plan(field.name, field.kind, unit, columns)?;
                nodes.push(node);
                types.push(of);
            }
            let group = Type::group_type_builder(name).with_repetition(Repetition::OPTIONAL).with_fields(types).build()?;
            Ok((Of::Group(nodes), Arc::new(group)))
        }
    }
}

fn other(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}

/// Rows written at a time: so many are held in memory, a few kilobytes each.
const ROWS: usize = 8192;
/// Bytes of texts after which it is fewer: a row of long names and chains takes a hundred times as much.
const BYTES: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const A: Key = Key { name: "a", json: "" };
    const B: Key = Key { name: "b", json: "" };
    const INNER: &[Field] = &[Field { name: "b", kind: Kind::List(&Kind::Integer), always: false }];

    /// The column of `a[].b` in `{"a":[{"b":[…]}]}`: repetition and definition levels of one row.
    fn levels(row: impl FnOnce(&mut Cutter<'_>)) -> (Vec<i16>, Vec<i16>) {
        let mut columns = Vec::new();
        let (node, _) = plan("a", Kind::List(&Kind::Object(INNER)), Unit::Nanos, &mut columns).unwrap();
        let fields = [node];
        let mut cutter = Cutter { fields: &fields, place: Place::default(), unit: Unit::Nanos, columns: &mut columns, bytes: &mut 0 };
        row(&mut cutter);
        cutter.end();
        (columns[0].levels.clone(), columns[0].definitions.clone())
    }

    #[test]
    fn nested_lists_are_striped_as_dremel_does() {
        // Definition: 1 the outer list, 2 its element, 3 the object, 4 the inner list, 5 its element, 6 the value.
        assert_eq!(levels(|_| {}), (vec![0], vec![0]));
        assert_eq!(levels(|row| row.objects(A, [(); 0], |_, ()| {})), (vec![0], vec![1]));
        assert_eq!(levels(|row| row.objects(A, [()], |_, ()| {})), (vec![0], vec![3]));
        assert_eq!(levels(|row| row.objects(A, [()], |item, ()| item.numbers(B, []))), (vec![0], vec![4]));
        let rows: [Option<&[u64]>; 3] = [Some(&[1, 2]), None, Some(&[3])];
        let (level, definition) = levels(|row| {
            row.objects(A, rows, |item, numbers| {
                if let Some(numbers) = numbers {
                    item.numbers(B, numbers.iter().copied());
                }
            });
        });
        assert_eq!(level, [0, 2, 1, 1]);
        assert_eq!(definition, [6, 6, 3, 6]);
    }

    #[test]
    fn a_value_of_another_kind_is_null() {
        let mut column = Column { values: Values::Integer(Vec::new()), definitions: Vec::new(), levels: Vec::new() };
        column.put(Some(Value::text("7")), Place::default().deeper(1));
        column.put(Some(Value::integer(7)), Place::default().deeper(1));
        assert_eq!(column.definitions, [0, 1]);
    }
}
