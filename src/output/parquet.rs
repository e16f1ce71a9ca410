//! One row a handshake, with the nested columns of docs/SCHEMA.md, as Parquet (<https://parquet.apache.org>), for DuckDB and its like.
//!
//! The columns are those of the schema whatever the capture holds, so that files of different captures can be read together; the timeline, which
//! `read` leaves out, has none. Times are text in RFC 3339, as everywhere. What a handshake does not have is null.
//!
//! Each report becomes a tree, which is cut into columns with repetition and definition levels (Dremel's striping). Every field is optional,
//! lists are the format's three-level lists.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};
use serde_json::{Map, Value};

use crate::report::{HandshakeReport, example};

/// Writes Parquet.
pub struct ParquetSink<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    fields: Vec<(String, Node)>,
    columns: Vec<Column>,
    rows: usize,
}

impl<W: Write + Send> std::fmt::Debug for ParquetSink<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetSink").field("columns", &self.columns.len()).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl<W: Write + Send> ParquetSink<W> {
    /// Begins a file.
    pub fn new(out: W) -> io::Result<Self> {
        let empty = Map::new();
        let fields = example().as_object().unwrap_or(&empty).iter().filter(|(name, _)| *name != "timeline");
        let mut columns = Vec::new();
        let (mut nodes, mut types) = (Vec::new(), Vec::new());
        for (name, value) in fields {
            if let Some((node, of)) = plan(name, value, 0, &mut columns).map_err(other)? {
                nodes.push((name.clone(), node));
                types.push(of);
            }
        }
        let schema = Type::group_type_builder("handshake").with_fields(types).build().map_err(other)?;
        let level = ZstdLevel::try_new(3).map_err(other)?;
        let creator = concat!("handshark ", env!("CARGO_PKG_VERSION")).to_owned();
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).set_created_by(creator).build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map_err(other)?;
        Ok(Self { writer, fields: nodes, columns, rows: 0 })
    }

    /// Takes a handshake.
    pub fn take(&mut self, report: &HandshakeReport) -> io::Result<()> {
        let value = serde_json::to_value(report)?;
        let cut = Cut { level: 0, definition: 0 };
        for (name, node) in &self.fields {
            node.cut(value.get(name), cut, 0, &mut self.columns);
        }
        self.rows = self.rows.saturating_add(1);
        if self.rows >= ROWS { self.write() } else { Ok(()) }
    }

    /// Writes what is held back and ends the file.
    pub fn finish(mut self) -> io::Result<W> {
        self.write()?;
        self.writer.into_inner().map_err(other)
    }

    fn write(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
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
enum Node {
    Group(Vec<(String, Self)>),
    List(Box<Self>),
    /// The column of its values.
    Leaf(usize),
}

/// Where in a row a value stands.
#[derive(Clone, Copy)]
struct Cut {
    /// Repetition level: of the innermost list that goes on here.
    level: i16,
    /// Definition level: how much of the way from the root is there.
    definition: i16,
}

impl Node {
    /// Cuts a value into columns. `lists`: how many lists are around it.
    fn cut(&self, value: Option<&Value>, cut: Cut, lists: i16, columns: &mut [Column]) {
        let deeper = |by: i16| Cut { definition: cut.definition.saturating_add(by), ..cut };
        match self {
            Self::Leaf(place) => {
                if let Some(column) = columns.get_mut(*place) {
                    let there = value.is_some_and(|value| column.values.push(value));
                    column.levels.push(cut.level);
                    column.definitions.push(if there { deeper(1).definition } else { cut.definition });
                }
            }
            Self::Group(fields) => {
                let object = value.and_then(Value::as_object);
                let inside = if object.is_some() { deeper(1) } else { cut };
                for (name, field) in fields {
                    field.cut(object.and_then(|object| object.get(name)), inside, lists, columns);
                }
            }
            Self::List(element) => {
                let own = lists.saturating_add(1);
                match value.and_then(Value::as_array).map(Vec::as_slice) {
                    None => element.cut(None, cut, own, columns),
                    Some([]) => element.cut(None, deeper(1), own, columns),
                    Some(items) => {
                        for (index, item) in items.iter().enumerate() {
                            let level = if index == 0 { cut.level } else { own };
                            element.cut(Some(item), Cut { level, ..deeper(2) }, own, columns);
                        }
                    }
                }
            }
        }
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
    Float(Vec<f64>),
    Boolean(Vec<bool>),
}

impl Values {
    /// Takes a value, unless it is of another kind than the schema says.
    fn push(&mut self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(list), Value::String(text)) => list.push(ByteArray::from(text.as_str())),
            (Self::Integer(list), Value::Number(number)) => {
                let number = number.as_i64().or_else(|| number.as_u64().map(|_| i64::MAX));
                return number.map(|number| list.push(number)).is_some();
            }
            (Self::Float(list), Value::Number(number)) => return number.as_f64().map(|number| list.push(number)).is_some(),
            (Self::Boolean(list), Value::Bool(flag)) => list.push(*flag),
            _ => return false,
        }
        true
    }
}

impl Column {
    fn write(&mut self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let (definitions, levels) = (Some(self.definitions.as_slice()), Some(self.levels.as_slice()));
        match &mut self.values {
            Values::Text(list) => {
                writer.typed::<ByteArrayType>().write_batch(list, definitions, levels)?;
                list.clear();
            }
            Values::Integer(list) => {
                writer.typed::<Int64Type>().write_batch(list, definitions, levels)?;
                list.clear();
            }
            Values::Float(list) => {
                writer.typed::<DoubleType>().write_batch(list, definitions, levels)?;
                list.clear();
            }
            Values::Boolean(list) => {
                writer.typed::<BoolType>().write_batch(list, definitions, levels)?;
                list.clear();
            }
        }
        self.definitions.clear();
        self.levels.clear();
        Ok(())
    }
}

/// The node and the type of a field, by an example of its value; nothing for what an example leaves open. Bounded by the example's depth.
fn plan(name: &str, example: &Value, depth: usize, columns: &mut Vec<Column>) -> Result<Option<(Node, TypePtr)>, ParquetError> {
    let mut leaf = |values: Values, physical: Physical, logical: Option<LogicalType>| {
        let of = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL).with_logical_type(logical).build()?;
        columns.push(Column { values, definitions: Vec::new(), levels: Vec::new() });
        Ok(Some((Node::Leaf(columns.len().saturating_sub(1)), Arc::new(of))))
    };
    match example {
        _ if depth > DEEPEST => Ok(None),
        Value::Null => Ok(None),
        Value::String(_) => leaf(Values::Text(Vec::new()), Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Value::Bool(_) => leaf(Values::Boolean(Vec::new()), Physical::BOOLEAN, None),
        Value::Number(number) if number.is_f64() => leaf(Values::Float(Vec::new()), Physical::DOUBLE, None),
        Value::Number(_) => leaf(Values::Integer(Vec::new()), Physical::INT64, None),
        Value::Array(items) => {
            let Some(item) = items.first() else { return Ok(None) };
            let Some((node, of)) = plan("element", item, depth.saturating_add(1), columns)? else { return Ok(None) };
            let repeated = Type::group_type_builder("list").with_repetition(Repetition::REPEATED).with_fields(vec![of]).build()?;
            let list = Type::group_type_builder(name)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(Some(LogicalType::List))
                .with_fields(vec![Arc::new(repeated)])
                .build()?;
            Ok(Some((Node::List(Box::new(node)), Arc::new(list))))
        }
        Value::Object(object) => {
            let (mut nodes, mut types) = (Vec::new(), Vec::new());
            for (name, value) in object {
                if let Some((node, of)) = plan(name, value, depth.saturating_add(1), columns)? {
                    nodes.push((name.clone(), node));
                    types.push(of);
                }
            }
            if nodes.is_empty() {
                return Ok(None);
            }
            let group = Type::group_type_builder(name).with_repetition(Repetition::OPTIONAL).with_fields(types).build()?;
            Ok(Some((Node::Group(nodes), Arc::new(group))))
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
/// Levels of the schema, which has six.
const DEEPEST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// The column of `a[].b` in `{"a":[{"b":[…]}]}`.
    fn levels(rows: &[Value]) -> (Vec<i16>, Vec<i16>) {
        let mut columns = Vec::new();
        let (node, _) = plan("a", &serde_json::json!([{"b": [1]}]), 0, &mut columns).unwrap().unwrap();
        for row in rows {
            node.cut(row.get("a"), Cut { level: 0, definition: 0 }, 0, &mut columns);
        }
        (columns[0].levels.clone(), columns[0].definitions.clone())
    }

    #[test]
    fn nested_lists_are_striped_as_dremel_does() {
        // Definition: 1 the outer list, 2 its element, 3 the object, 4 the inner list, 5 its element, 6 the value.
        let of = |row: Value| levels(&[row]);
        assert_eq!(of(serde_json::json!({})), (vec![0], vec![0]));
        assert_eq!(of(serde_json::json!({"a": []})), (vec![0], vec![1]));
        assert_eq!(of(serde_json::json!({"a": [{}]})), (vec![0], vec![3]));
        assert_eq!(of(serde_json::json!({"a": [{"b": []}]})), (vec![0], vec![4]));
        let (level, definition) = of(serde_json::json!({"a": [{"b": [1, 2]}, {}, {"b": [3]}]}));
        assert_eq!(level, [0, 2, 1, 1]);
        assert_eq!(definition, [6, 6, 3, 6]);
    }

    #[test]
    fn a_value_of_another_kind_is_null() {
        let mut values = Values::Integer(Vec::new());
        assert!(values.push(&serde_json::json!(7)) && !values.push(&serde_json::json!("7")));
    }
}
