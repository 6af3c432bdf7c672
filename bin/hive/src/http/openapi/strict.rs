//! Request bodies in the description: closed, since a field that the hive does not know is refused.
//!
//! The types themselves stay open, for readers accept fields of a newer hive.

use std::collections::BTreeMap;

use utoipa::openapi::{
    OpenApi, RefOr,
    schema::{AdditionalProperties, Object, Schema},
};

use super::operations;

type Schemas = BTreeMap<String, RefOr<Schema>>;

/// Refuses unknown fields in every body that a request may have, at every depth.
pub(super) fn close_request_bodies(description: &mut OpenApi) {
    let mut bodies = Vec::new();
    for item in description.paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            let Some(RefOr::T(body)) = &operation.request_body else {
                continue;
            };
            for content in body.content.values() {
                if let RefOr::T(content) = content {
                    bodies.extend(content.schema.as_ref().and_then(name_of));
                }
            }
        }
    }
    let Some(components) = &mut description.components else {
        return;
    };
    for name in bodies {
        close_named(&mut components.schemas, &name);
    }
}

fn close_named(schemas: &mut Schemas, name: &str) {
    let Some(RefOr::T(schema)) = schemas.get(name).cloned() else {
        return;
    };
    let closed = closed(schemas, schema);
    schemas.insert(name.to_owned(), closed.into());
}

fn closed(schemas: &mut Schemas, schema: Schema) -> Schema {
    match schema {
        Schema::Object(mut object) if !object.properties.is_empty() => {
            for property in object.properties.values() {
                if let Some(name) = name_of(property) {
                    close_named(schemas, &name);
                }
            }
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
            Schema::Object(object)
        }
        Schema::OneOf(mut choice) => {
            let items = choice.items.into_iter().map(|item| match item {
                RefOr::T(item) => closed(schemas, item).into(),
                RefOr::Ref(_) => item,
            });
            choice.items = items.collect();
            Schema::OneOf(choice)
        }
        // A tagged object is its tag and the fields of its kind: closed, it has to be one object.
        Schema::AllOf(parts) => {
            let mut whole = Object::new();
            for part in parts.items {
                if let Some(Schema::Object(part)) = resolved(schemas, part) {
                    whole.schema_type = part.schema_type;
                    whole.description = whole.description.or(part.description);
                    whole.required.extend(part.required);
                    whole.properties.extend(part.properties);
                }
            }
            closed(schemas, Schema::Object(whole))
        }
        // The library may add others.
        schema => schema,
    }
}

fn resolved(schemas: &Schemas, part: RefOr<Schema>) -> Option<Schema> {
    let part = match name_of(&part) {
        Some(name) => schemas.get(&name)?.clone(),
        None => part,
    };
    match part {
        RefOr::T(schema) => Some(schema),
        RefOr::Ref(_) => None,
    }
}

/// The component that a reference points to.
fn name_of(schema: &RefOr<Schema>) -> Option<String> {
    match schema {
        RefOr::Ref(reference) => reference
            .ref_location
            .strip_prefix("#/components/schemas/")
            .map(str::to_owned),
        RefOr::T(_) => None,
    }
}
