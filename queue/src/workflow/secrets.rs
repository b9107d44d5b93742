//! The signing secrets of a version: encrypted in a column of their own, beside a definition that
//! holds the mask in their place.
//!
//! The content hash of a version with secrets is made of the masked definition and a random tag that
//! is encrypted with them: it changes when a secret does, and nobody can try secrets against it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stepwell_workflow::secrets::{ByPlace, MASK};
use uuid::Uuid;

use crate::Error;
use crate::secret::{Cipher, hex};

const TAG_BYTES: usize = 16;

/// The secrets of one version.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    tag: [u8; TAG_BYTES],
    by_place: Vec<(String, SecretString)>,
}

impl Secrets {
    /// Takes the secrets of a new definition.
    #[must_use]
    pub fn fresh(by_place: ByPlace) -> Self {
        let mut tag = [0; TAG_BYTES];
        rand::rng().fill_bytes(&mut tag);
        let by_place = by_place.into_iter();
        Self {
            tag,
            by_place: by_place.map(|(place, text)| (place, text.into())).collect(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_place.is_empty()
    }

    /// Returns the places that hold the mask: what is kept there shall stay.
    #[must_use]
    pub fn masked(&self) -> Vec<&str> {
        let masked = self
            .by_place
            .iter()
            .filter(|(_, text)| text.expose_secret() == MASK);
        masked.map(|(place, _)| place.as_str()).collect()
    }

    /// Returns the content hash of a version whose masked definition has this one.
    #[must_use]
    pub fn hash(&self, masked: &str) -> String {
        if self.is_empty() {
            return masked.to_owned();
        }
        let mut hash = Sha256::new();
        hash.update(masked.as_bytes());
        hash.update(self.tag);
        hex(&hash.finalize())
    }

    /// Returns these secrets with what is masked taken from the version before, and that version's
    /// tag if nothing else is different. The inner error names the places without a secret to keep.
    pub(super) fn over(mut self, before: &Self) -> Result<Self, Vec<String>> {
        let mut lacking = Vec::new();
        for (place, text) in &mut self.by_place {
            if text.expose_secret() == MASK {
                match before.by_place.iter().find(|(known, _)| known == place) {
                    Some((_, kept)) => *text = kept.clone(),
                    None => lacking.push(place.clone()),
                }
            }
        }
        if !lacking.is_empty() {
            return Err(lacking);
        }
        let same = self.by_place.len() == before.by_place.len()
            && self
                .by_place
                .iter()
                .zip(&before.by_place)
                .all(|(a, b)| a.0 == b.0 && a.1.expose_secret() == b.1.expose_secret());
        if same {
            self.tag = before.tag;
        }
        Ok(self)
    }

    /// Encrypts them for a version; `None` if there are none.
    pub(super) fn seal(
        &self,
        cipher: Option<&Cipher>,
        workflow_id: Uuid,
        version: i32,
    ) -> Result<Sealed, Error> {
        let cipher = match (self.is_empty(), cipher) {
            (true, _) => return Ok(Sealed::Done(None)),
            (false, None) => return Ok(Sealed::NoMasterKey),
            (false, Some(cipher)) => cipher,
        };
        let by_place: serde_json::Map<String, Value> = self
            .by_place
            .iter()
            .map(|(place, text)| (place.clone(), text.expose_secret().into()))
            .collect();
        let plain = json!({"tag": STANDARD.encode(self.tag), "secrets": by_place}).to_string();
        let sealed = cipher.seal(owner(workflow_id, version), plain.as_bytes())?;
        Ok(Sealed::Done(Some(sealed)))
    }

    /// Decrypts what [`Secrets::seal`] made for the same version.
    pub(super) fn open(
        cipher: Option<&Cipher>,
        workflow_id: Uuid,
        version: i32,
        stored: Option<&[u8]>,
    ) -> Result<Self, Error> {
        let Some(stored) = stored else {
            return Ok(Self::default());
        };
        let corrupt = |why: &str| {
            Error::Corrupt(format!(
                "the secrets of workflow {workflow_id} version {version} {why}"
            ))
        };
        let cipher = cipher.ok_or_else(|| corrupt("cannot be read: no master key is set"))?;
        let plain = cipher.open(owner(workflow_id, version), stored)?;
        let known = || {
            let value: Value = serde_json::from_slice(&plain).ok()?;
            let tag = STANDARD.decode(value.get("tag")?.as_str()?).ok()?;
            let by_place = value.get("secrets")?.as_object()?.iter();
            Some(Self {
                tag: tag.try_into().ok()?,
                by_place: by_place
                    .map(|(place, text)| Some((place.clone(), text.as_str()?.to_owned().into())))
                    .collect::<Option<_>>()?,
            })
        };
        known().ok_or_else(|| corrupt("have no known shape"))
    }

    /// Puts them into a definition that is about to be compiled.
    pub(super) fn put_into(&self, definition: &mut Value) {
        let by_place = self
            .by_place
            .iter()
            .map(|(place, text)| (place.clone(), text.expose_secret().to_owned()))
            .collect();
        stepwell_workflow::secrets::put_back(definition, &by_place);
    }
}

/// What came of encrypting.
pub(super) enum Sealed {
    Done(Option<Vec<u8>>),
    NoMasterKey,
}

/// What the ciphertext is bound to: the version, and not only its workflow.
pub(crate) fn owner(workflow_id: Uuid, version: i32) -> Uuid {
    Uuid::from_u128(workflow_id.as_u128() ^ u128::from(version.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn secrets(of: &[(&str, &str)]) -> Secrets {
        let by_place = of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        Secrets::fresh(by_place.collect())
    }

    #[test]
    fn what_is_sealed_opens_for_its_version_alone() {
        let cipher = Cipher::new(&"7".repeat(64).into()).unwrap();
        let (id, all) = (crate::clock::id(), secrets(&[("steps/a", "whsec_a")]));
        let Sealed::Done(Some(stored)) = all.seal(Some(&cipher), id, 2).unwrap() else {
            panic!("it is sealed")
        };
        let opened = Secrets::open(Some(&cipher), id, 2, Some(&stored)).unwrap();
        assert_eq!(opened.hash("h"), all.hash("h"));
        assert!(Secrets::open(Some(&cipher), id, 3, Some(&stored)).is_err());
        assert!(Secrets::open(None, id, 2, Some(&stored)).is_err());
        assert!(!format!("{all:?}").contains("whsec_a"));
    }

    #[test]
    fn the_hash_changes_with_the_secrets_and_does_not_tell_them() {
        let first = secrets(&[("steps/a", "one")]);
        assert_ne!(first.hash("h"), secrets(&[("steps/a", "one")]).hash("h"));
        let same = secrets(&[("steps/a", "one")]).over(&first).unwrap();
        let kept = secrets(&[("steps/a", MASK)]).over(&first).unwrap();
        let other = secrets(&[("steps/a", "two")]).over(&first).unwrap();
        assert_eq!(same.hash("h"), first.hash("h"));
        assert_eq!(kept.hash("h"), first.hash("h"));
        assert_ne!(other.hash("h"), first.hash("h"));
        assert_eq!(Secrets::default().hash("h"), "h");
        let lacking = secrets(&[("steps/b", MASK)]).over(&first).unwrap_err();
        assert_eq!(lacking, ["steps/b"]);
    }
}
