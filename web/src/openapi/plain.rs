//! A described field as plain as it can be. The framework writes it as "all of: its schema, and a
//! schema that is nothing but a description"; readers and generators of clients then no longer see
//! what it is. Here the description goes where it belongs.

use salvo::oapi::schema::{AdditionalProperties, AllOf, ArrayItems};
use salvo::oapi::{Content, Object, OpenApi, RefOr, Schema};

/// Makes every schema of the document plain.
pub(super) fn plain(document: &mut OpenApi) {
    for schema in document.components.schemas.0.values_mut() {
        walk(schema);
    }
    for item in document.paths.values_mut() {
        for operation in item.operations.values_mut() {
            let asked = operation.request_body.iter_mut();
            asked.for_each(|body| body.contents.values_mut().for_each(content));
            for response in operation.responses.values_mut() {
                if let RefOr::Type(response) = response {
                    response.contents.values_mut().for_each(content);
                }
            }
        }
    }
}

fn content(content: &mut Content) {
    if let Some(schema) = &mut content.schema {
        walk(schema);
    }
}

fn walk(schema: &mut RefOr<Schema>) {
    if let RefOr::Type(Schema::AllOf(both)) = schema
        && let Some(one) = described(both)
    {
        *schema = one;
    }
    let RefOr::Type(schema) = schema else {
        return;
    };
    match schema {
        Schema::Object(object) => {
            object.properties.values_mut().for_each(walk);
            if let Some(more) = &mut object.additional_properties
                && let AdditionalProperties::RefOr(inner) = &mut **more
            {
                walk(inner);
            }
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                walk(items);
            }
        }
        Schema::OneOf(one) => one.items.iter_mut().for_each(walk),
        Schema::AllOf(all) => all.items.iter_mut().for_each(walk),
        Schema::AnyOf(any) => any.items.iter_mut().for_each(walk),
        _ => {}
    }
}

/// The first of two schemas, with the description that is all of the second.
fn described(both: &AllOf) -> Option<RefOr<Schema>> {
    let [first, RefOr::Type(Schema::Object(second))] = both.items.as_slice() else {
        return None;
    };
    let text = second.description.clone()?;
    let alone = Object::new()
        .schema_type(second.schema_type.clone())
        .description(text.clone());
    if **second != alone {
        return None;
    }
    let mut one = first.clone();
    match &mut one {
        RefOr::Ref(reference) => reference.description = text,
        RefOr::Type(Schema::Object(object)) => object.description = Some(text),
        RefOr::Type(Schema::Array(array)) => array.description = Some(text),
        RefOr::Type(Schema::OneOf(one)) => one.description = Some(text),
        RefOr::Type(Schema::AnyOf(any)) => any.description = Some(text),
        RefOr::Type(_) => return None,
    }
    Some(one)
}
