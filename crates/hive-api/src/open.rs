//! A value that a newer peer may extend: known here, or kept as it came.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Object, ObjectBuilder, Ref, RefOr,
        schema::{AnyOfBuilder, Schema, Type},
    },
};

use crate::{
    Access, FindingLevel, JobResult, JobState, LimitedBy, LogLevel, ModelState, Operation, Phase,
    Priority, ProblemCode, Scope,
};

/// A wire value of a set that grows: `T` when this build knows it, the raw value when it does not.
///
/// Readers of answers must accept kinds, states, phases, codes and event names that were added after they were
/// built. They keep such a value as text (`Raw` is a whole JSON value for objects) and treat it as not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Open<T, Raw = String> {
    /// A value this build knows.
    Known(T),
    /// A value of a newer peer, as it came over the wire.
    Unknown(Raw),
}

impl<T, Raw> Open<T, Raw> {
    /// The value, if this build knows it.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

impl<T, Raw> From<T> for Open<T, Raw> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

// utoipa's derive takes a type with parameters apart and passes its own schema over; a name without any stands for it.
pub(crate) type OpenAccess = Open<Access>;
pub(crate) type OpenFindingLevel = Open<FindingLevel>;
pub(crate) type OpenJobResult = Open<JobResult, Value>;
pub(crate) type OpenJobState = Open<JobState>;
pub(crate) type OpenLimitedBy = Open<LimitedBy>;
pub(crate) type OpenLogLevel = Open<LogLevel>;
pub(crate) type OpenModelState = Open<ModelState>;
pub(crate) type OpenOperation = Open<Operation, Value>;
pub(crate) type OpenPhase = Open<Phase>;
pub(crate) type OpenPriority = Open<Priority>;
pub(crate) type OpenProblemCode = Open<ProblemCode>;
pub(crate) type OpenScope = Open<Scope>;

/// A word of a set that grows is any string, and the words that this build knows are its examples.
impl<T: ToSchema> PartialSchema for Open<T, String> {
    fn schema() -> RefOr<Schema> {
        let known = match T::schema() {
            RefOr::T(Schema::Object(Object { enum_values, .. })) => enum_values,
            RefOr::T(_) | RefOr::Ref(_) => None,
        };
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("One of the examples, or a word of a newer hive"))
            .examples(known.unwrap_or_default())
            .into()
    }
}

impl<T: ToSchema> ToSchema for Open<T, String> {
    fn name() -> Cow<'static, str> {
        format!("Open{}", T::name()).into()
    }
}

/// An object of a set that grows is one that this build knows, or any other.
impl<T: ToSchema> PartialSchema for Open<T, Value> {
    fn schema() -> RefOr<Schema> {
        AnyOfBuilder::new()
            .item(Ref::from_schema_name(T::name()))
            .item(
                ObjectBuilder::new()
                    .schema_type(Type::Object)
                    .description(Some("An object of a newer hive, to be shown as it is")),
            )
            .into()
    }
}

impl<T: ToSchema> ToSchema for Open<T, Value> {
    fn name() -> Cow<'static, str> {
        format!("Open{}", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}
