//! Refuses JSON objects whose keys readers may understand differently.
//!
//! Where a key stands twice, readers disagree on which of the two counts; and Go's encoding/json, which most registries
//! use, takes `Layers` or `layerſ` for `layers`, where others see an unknown field.

use std::{cell::Cell, collections::HashSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::ManifestError;

/// The fields that mean something to one reader or another (image-spec; Docker's manifests v2, schema 1 and 2).
const KNOWN: [&str; 14] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
    "fsLayers",
    "digest",
    "size",
    "urls",
    "data",
    "platform",
];

pub(crate) fn check(json: &[u8]) -> Result<(), ManifestError> {
    let fault = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let walk = Walk { fault: &fault, annotations: false };
    let walked = deserializer.deserialize_any(walk).and_then(|()| deserializer.end());
    match fault.take() {
        Some(fault) => Err(fault),
        None => Ok(walked?),
    }
}

/// The same for all names that some reader takes for one.
fn folded(key: &str) -> String {
    key.to_uppercase().to_lowercase()
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    fault: &'a Cell<Option<ManifestError>>,
    /// Whether this is an object of annotations, whose keys are names that anybody may choose.
    annotations: bool,
}

impl Walk<'_> {
    fn key(&self, key: &str, seen: &mut HashSet<String>) -> Result<(), ManifestError> {
        let folded_key = folded(key);
        let known = KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(&folded_key));
        if let Some(known) = known.filter(|known| *known != key && !self.annotations) {
            return Err(ManifestError::NearlyKnownKey(known));
        }
        if seen.insert(folded_key) { Ok(()) } else { Err(ManifestError::DuplicateKey) }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if let Err(fault) = self.key(&key, &mut seen) {
                self.fault.set(Some(fault));
                return Err(A::Error::custom("a key that is understood in two ways"));
            }
            map.next_value_seed(Walk { annotations: key == "annotations", ..self })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
