//! JSON read strictly: nothing said twice, nothing too deep, nothing that the type does not know.
//!
//! Unknown fields are found by a round trip: what the type does not write again it did not understand, and what it
//! writes in another shape (serde reads a list as an object's fields in order) was not meant so. One rule for every
//! object, tagged ones too.

use std::{cell::RefCell, fmt};

use hive_api::{InvalidField, ProblemCode};
use serde::{
    Serialize,
    de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use crate::http::problems::Refusal;

/// Arrays and objects may be nested this deep.
const DEEPEST: usize = 32;

/// Reads one JSON text.
pub(crate) fn parse(text: &[u8]) -> Result<Value, Refusal> {
    let refused = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let seed = Strict {
        pointer: String::new(),
        depth: 0,
        refused: &refused,
    };
    let read = seed
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    read.map_err(|error| match refused.take() {
        Some(field) => Refusal::invalid(vec![field]),
        None => Refusal::new(
            ProblemCode::MalformedJson,
            format!("the body is not JSON: {error}"),
        ),
    })
}

/// Reads a value as `T` and refuses what `T` does not know.
pub(crate) fn typed<T: DeserializeOwned + Serialize>(
    value: &Value,
) -> Result<T, Vec<InvalidField>> {
    let typed: T = serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer_of(error.path());
        let detail = error.inner().to_string();
        vec![InvalidField { pointer, detail }]
    })?;
    let mut unknown = Vec::new();
    if let Ok(understood) = serde_json::to_value(&typed) {
        find_unknown(value, &understood, "", &mut unknown);
    }
    if unknown.is_empty() {
        Ok(typed)
    } else {
        Err(unknown)
    }
}

fn find_unknown(given: &Value, understood: &Value, at: &str, unknown: &mut Vec<InvalidField>) {
    match (given, understood) {
        (Value::Object(given), Value::Object(understood)) => {
            for (key, value) in given {
                let pointer = below(at, key);
                match understood.get(key) {
                    Some(understood) => find_unknown(value, understood, &pointer, unknown),
                    None => unknown.push(InvalidField {
                        pointer,
                        detail: "unknown field".to_owned(),
                    }),
                }
            }
        }
        (Value::Array(given), Value::Array(understood)) => {
            for (index, (given, understood)) in given.iter().zip(understood).enumerate() {
                find_unknown(given, understood, &format!("{at}/{index}"), unknown);
            }
        }
        (given, understood) if shape(given) != shape(understood) => unknown.push(InvalidField {
            pointer: at.to_owned(),
            detail: format!("must be {}", shape(understood)),
        }),
        _ => {}
    }
}

const fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The pointer of `key` in the object at `at` (RFC 6901, section 3).
fn below(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn pointer_of(path: &Path) -> String {
    path.iter()
        .fold(String::new(), |at, segment| match segment {
            Segment::Seq { index } => format!("{at}/{index}"),
            Segment::Map { key } | Segment::Enum { variant: key } => below(&at, key),
            Segment::Unknown => at,
        })
}

/// Reads any value and remembers what it refused, since serde's errors carry text alone.
struct Strict<'a> {
    pointer: String,
    depth: usize,
    refused: &'a RefCell<Option<InvalidField>>,
}

impl Strict<'_> {
    fn inner(&self, pointer: String) -> Self {
        Self {
            pointer,
            depth: self.depth + 1,
            refused: self.refused,
        }
    }

    fn refuse<E: Error>(&self, pointer: String, detail: String) -> E {
        let error = E::custom(&detail);
        self.refused.replace(Some(InvalidField { pointer, detail }));
        error
    }

    fn check_depth<E: Error>(&self) -> Result<(), E> {
        if self.depth < DEEPEST {
            return Ok(());
        }
        Err(self.refuse(
            self.pointer.clone(),
            format!("nested deeper than {DEEPEST}"),
        ))
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut array = Vec::new();
        let seed = |index| self.inner(format!("{}/{index}", self.pointer));
        while let Some(item) = items.next_element_seed(seed(array.len()))? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut object = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            let pointer = below(&self.pointer, &key);
            if object.contains_key(&key) {
                return Err(self.refuse(pointer, "given twice".to_owned()));
            }
            let value = fields.next_value_seed(self.inner(pointer))?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use hive_api::{Open, SubmitJob};

    use super::*;

    fn code_of(text: &str) -> (ProblemCode, Vec<String>) {
        let Refusal(problem) = parse(text.as_bytes()).unwrap_err();
        let Open::Known(code) = problem.code else {
            panic!("our own codes are known")
        };
        (
            code,
            problem
                .errors
                .into_iter()
                .map(|field| field.pointer)
                .collect(),
        )
    }

    fn unknown_in(text: &str) -> Vec<String> {
        let errors = typed::<SubmitJob>(&parse(text.as_bytes()).unwrap()).unwrap_err();
        errors.into_iter().map(|field| field.pointer).collect()
    }

    #[test]
    fn a_list_in_place_of_an_object_and_an_object_in_place_of_a_word_are_refused() {
        let operation = r#"{"kind":"model_download","model":"a/b"}"#;
        for (text, pointer) in [
            (format!("[{operation}]"), ""),
            (format!(r#"[{operation},"high",null]"#), ""),
            (r#"[["model_download","a/b"]]"#.to_owned(), ""),
            (
                r#"{"operation":["model_download","a/b"]}"#.to_owned(),
                "/operation",
            ),
            (
                format!(r#"{{"operation":{operation},"priority":{{"high":null}}}}"#),
                "/priority",
            ),
        ] {
            assert_eq!(unknown_in(&text), [pointer], "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for text in [
            "",
            "{",
            "{\"a\":NaN}",
            "{} {}",
            "\"\\ud800\"",
            "[1,]",
            "\u{feff}{}",
        ] {
            assert_eq!(
                code_of(text),
                (ProblemCode::MalformedJson, vec![]),
                "{text}"
            );
        }
    }

    #[test]
    fn a_field_given_twice_is_refused_with_its_pointer() {
        let twice = r#"{"a":{"b/c":1,"b/c":2}}"#;
        assert_eq!(
            code_of(twice),
            (ProblemCode::InvalidRequest, vec!["/a/b~1c".to_owned()])
        );
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(DEEPEST).as_bytes()).is_ok());
        assert_eq!(code_of(&nested(DEEPEST + 1)).0, ProblemCode::InvalidRequest);
        assert_eq!(code_of(&nested(50_000)).0, ProblemCode::InvalidRequest);
    }

    #[test]
    fn every_unknown_field_is_named_also_in_a_tagged_object() {
        let misspelt =
            r#"{"operation":{"kind":"model_download","model":"a/b","includes":[]},"prio":"low"}"#;
        assert_eq!(unknown_in(misspelt), ["/operation/includes", "/prio"]);
    }

    #[test]
    fn whole_numbers_keep_every_digit() {
        let text = r#"{"operation":{"kind":"model_download","model":"a/b"},"limit_bytes_per_second":9007199254740993}"#;
        let read: SubmitJob = typed(&parse(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(read.limit_bytes_per_second, Some(9_007_199_254_740_993));
    }
}
