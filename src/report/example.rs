//! A report with every field of the schema.

use std::sync::LazyLock;

use serde_json::Value;

/// The first example of docs/SCHEMA.md, which a test holds complete: what kinds of values the fields have.
pub fn example() -> &'static Value {
    &EXAMPLE
}

static EXAMPLE: LazyLock<Value> = LazyLock::new(|| {
    let block = include_str!("../../docs/SCHEMA.md").split("```json").nth(1).and_then(|rest| rest.split("```").next());
    let mut example: Value = block.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    // The client of the example has no certificate; another's look like the server's.
    let certificates = example.pointer("/tls/server/certificates").cloned().unwrap_or_default();
    if let Some(client) = example.pointer_mut("/tls/client").and_then(Value::as_object_mut) {
        client.entry("certificates").or_insert(certificates);
    }
    example
});
