//! Reports as values of the language: those of their fields that an expression wants.

use std::sync::Arc;

use cel::Value as CelValue;
use cel::objects::{Key as CelKey, Map as CelMap};

use crate::report::schema::Kind;
use crate::report::{Counts, Key, Writer};
use crate::time::Timestamp;

/// The fields of an object, as the language's maps hold them. Their order shows nowhere.
#[allow(clippy::disallowed_types, reason = "what the language takes")]
pub(super) type Fields = std::collections::HashMap<CelKey, CelValue>;

/// The fields that an expression names: nothing else is made of a report.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// All of this.
    whole: bool,
    /// Of this, these.
    pub(super) fields: Vec<(&'static str, Self)>,
}

impl Wanted {
    pub(super) fn of(&self, name: &str) -> Option<&Self> {
        if self.whole { Some(self) } else { self.fields.iter().find(|(field, _)| *field == name).map(|(_, wanted)| wanted) }
    }

    pub(super) fn add(&mut self, path: &[&'static str]) {
        let Some((first, rest)) = path.split_first() else {
            self.whole = true;
            return;
        };
        if let Some((_, wanted)) = self.fields.iter_mut().find(|(field, _)| field == first) {
            return wanted.add(rest);
        }
        let mut wanted = Self::default();
        wanted.add(rest);
        self.fields.push((first, wanted));
    }
}

/// A value of this kind.
pub(super) fn example(kind: Kind) -> CelValue {
    match kind {
        Kind::Text | Kind::Word(_) => text("x"),
        Kind::Time => text(&Timestamp::default().to_string()),
        Kind::Integer => CelValue::Int(1),
        Kind::Flag => CelValue::Bool(false),
        Kind::Counts => object(Fields::new()),
        Kind::List(item) => CelValue::List(Arc::new(vec![example(*item)])),
        Kind::Object(fields) => object(fields.iter().map(|field| (CelKey::from(field.name), example(field.kind))).collect()),
    }
}

fn text(value: &str) -> CelValue {
    CelValue::String(Arc::new(value.to_owned()))
}

/// Numbers are signed, so that they can be counted with: the language does not mix signed and unsigned ones.
fn integer(value: u64) -> CelValue {
    CelValue::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

/// A value of a row.
pub(super) fn written_value(value: &serde_json::Value) -> CelValue {
    use serde_json::Value;
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(flag) => CelValue::Bool(*flag),
        Value::Number(number) => integer(number.as_u64().unwrap_or_default()),
        Value::String(value) => text(value),
        Value::Array(list) => CelValue::List(Arc::new(list.iter().map(written_value).collect())),
        Value::Object(fields) => object(fields.iter().map(|(name, value)| (CelKey::from(name.clone()), written_value(value))).collect()),
    }
}

pub(super) fn object(map: Fields) -> CelValue {
    CelValue::Map(CelMap { map: Arc::new(map) })
}

/// Takes the fields that are wanted, as values of the language.
pub(super) struct Values<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) map: Fields,
}

impl Values<'_> {
    fn put(&mut self, key: Key, value: impl FnOnce() -> CelValue) {
        if self.wants(key) {
            self.map.insert(CelKey::from(key.name), value());
        }
    }
}

impl Writer for Values<'_> {
    fn text(&mut self, key: Key, value: &str) {
        self.put(key, || text(value));
    }

    fn number(&mut self, key: Key, value: u64) {
        self.put(key, || integer(value));
    }

    fn flag(&mut self, key: Key, value: bool) {
        self.put(key, || CelValue::Bool(value));
    }

    fn time(&mut self, key: Key, value: Timestamp) {
        self.put(key, || text(&value.to_string()));
    }

    fn texts<T: AsRef<str>>(&mut self, key: Key, values: impl IntoIterator<Item = T>) {
        self.put(key, || CelValue::List(Arc::new(values.into_iter().map(|value| text(value.as_ref())).collect())));
    }

    fn numbers(&mut self, key: Key, values: impl IntoIterator<Item = u64>) {
        self.put(key, || CelValue::List(Arc::new(values.into_iter().map(integer).collect())));
    }

    fn object(&mut self, key: Key, fields: impl FnOnce(&mut Self)) {
        if let Some(wanted) = self.wanted.of(key.name) {
            let mut inner = Self { wanted, map: Fields::new() };
            fields(&mut inner);
            self.map.insert(CelKey::from(key.name), object(inner.map));
        }
    }

    fn objects<T>(&mut self, key: Key, items: impl IntoIterator<Item = T>, mut fields: impl FnMut(&mut Self, T)) {
        if let Some(wanted) = self.wanted.of(key.name) {
            let list = items.into_iter().map(|item| {
                let mut inner = Self { wanted, map: Fields::new() };
                fields(&mut inner, item);
                object(inner.map)
            });
            let list = list.collect();
            self.map.insert(CelKey::from(key.name), CelValue::List(Arc::new(list)));
        }
    }

    fn counts(&mut self, key: Key, counts: &Counts) {
        self.put(key, || object(counts.iter().map(|(word, count)| (CelKey::from(*word), integer(*count))).collect()));
    }

    fn wants(&self, key: Key) -> bool {
        self.wanted.of(key.name).is_some()
    }
}
