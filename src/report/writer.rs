//! What takes the fields of a report.

use crate::time::Timestamp;

use super::rendered::Rendered;
use super::summary::Counts;

/// A field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// As it is.
    pub name: &'static str,
    /// As JSON has it: behind a comma, in quotes, with its colon.
    pub json: &'static str,
}

/// A field's name as a [`Key`].
macro_rules! key {
    ($name:literal) => {
        $crate::report::Key { name: $name, json: concat!(",\"", $name, "\":") }
    };
}

pub(crate) use key;

/// Takes fields. What is not there is not written.
pub trait Writer: Sized {
    /// A text, which may be a stranger's.
    fn text(&mut self, key: Key, value: &str);

    /// A text of our own making: no character in it needs an escape.
    fn word(&mut self, key: Key, value: &str) {
        self.text(key, value);
    }

    /// The same in ASCII.
    fn ascii(&mut self, key: Key, value: &[u8]) {
        self.word(key, std::str::from_utf8(value).unwrap_or_default());
    }

    /// A number.
    fn number(&mut self, key: Key, value: u64);

    /// Yes or no.
    fn flag(&mut self, key: Key, value: bool);

    /// A moment.
    fn time(&mut self, key: Key, value: Timestamp) {
        self.word(key, &value.to_string());
    }

    /// A list of texts.
    fn texts<T: AsRef<str>>(&mut self, key: Key, values: impl IntoIterator<Item = T>);

    /// A list of numbers.
    fn numbers(&mut self, key: Key, values: impl IntoIterator<Item = u64>);

    /// An object with these fields.
    fn object(&mut self, key: Key, fields: impl FnOnce(&mut Self));

    /// A list of objects, each with the fields of an item.
    fn objects<T>(&mut self, key: Key, items: impl IntoIterator<Item = T>, fields: impl FnMut(&mut Self, T));

    /// How often each word was counted, as an object.
    fn counts(&mut self, key: Key, counts: &Counts);

    /// Fields that many reports share. `rendered` keeps what a writer made of them.
    fn shared(&mut self, rendered: &Rendered, fields: impl FnOnce(&mut Self)) {
        let _ = rendered;
        fields(self);
    }

    /// The same where `same` says that these are the values that many reports share; others are written as they are.
    fn shared_if(&mut self, same: bool, rendered: &Rendered, fields: impl FnOnce(&mut Self)) {
        if same { self.shared(rendered, fields) } else { fields(self) }
    }

    /// Whether this field would be taken: what is dear to make is made for somebody.
    fn wants(&self, key: Key) -> bool {
        let _ = key;
        true
    }

    /// A list of texts, unless it is empty.
    fn texts_if_any<T: AsRef<str>>(&mut self, key: Key, values: impl IntoIterator<Item = T>) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_some() {
            self.texts(key, values);
        }
    }

    /// A number, if it is there.
    fn number_if_any(&mut self, key: Key, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    /// A text, if it is there.
    fn text_if_any(&mut self, key: Key, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A text of our own making, if it is there.
    fn word_if_any(&mut self, key: Key, value: Option<&str>) {
        if let Some(value) = value {
            self.word(key, value);
        }
    }
}
