//! A report with every field of the schema.

use std::sync::LazyLock;

use serde_json::Value;

/// The examples of docs/SCHEMA.md in one, which a test holds complete: what kinds of values the fields have.
pub fn example() -> &'static Value {
    &EXAMPLE
}

static EXAMPLE: LazyLock<Value> = LazyLock::new(|| {
    let block = |number| include_str!("../../docs/SCHEMA.md").split("```json").nth(number).and_then(|rest| rest.split("```").next());
    let read = |number| -> Value { block(number).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default() };
    let (mut example, datagrams) = (read(1), read(2));
    // What is QUIC's and DTLS's own stands in the second.
    if let Some(example) = example.as_object_mut() {
        for name in ["quic", "dtls"] {
            example.insert(name.to_owned(), datagrams.get(name).cloned().unwrap_or_default());
        }
    }
    // The client of the example has no certificate; another's look like the server's.
    let certificates = example.pointer("/tls/server/certificates").cloned().unwrap_or_default();
    if let Some(client) = example.pointer_mut("/tls/client").and_then(Value::as_object_mut) {
        client.entry("certificates").or_insert(certificates);
    }
    example
});
