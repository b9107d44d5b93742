//! Tokens that are really signed, by each algorithm that an issuer may publish keys for.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};

use super::guarded;
use super::tokens::{COMMON, KEYS, claims, with};
use crate::harness::{Agent, App, Reply};

/// Private keys in PKCS #8, made for these tests alone.
const RSA: &str = include_str!("signers/rsa.pem");
const OTHER_RSA: &str = include_str!("signers/other_rsa.pem");
const EC: &str = include_str!("signers/ec.pem");
const OTHER_EC: &str = include_str!("signers/other_ec.pem");

/// One key of an issuer.
struct Signer {
    id: &'static str,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    fn new(id: &'static str, algorithm: Algorithm, pem: &str) -> Self {
        let pem = pem.as_bytes();
        let key = match algorithm {
            Algorithm::RS256 | Algorithm::RS512 | Algorithm::PS256 => {
                EncodingKey::from_rsa_pem(pem)
            }
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem),
            _ => EncodingKey::from_ed_pem(pem),
        };
        Self {
            id,
            algorithm,
            key: key.unwrap(),
        }
    }

    fn public(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.id.to_owned());
        serde_json::to_value(jwk).unwrap()
    }

    /// A token by this key, with or without its name.
    fn token(&self, id: Option<&str>) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = id.map(ToOwned::to_owned);
        encode(&header, &claims("viewer"), &self.key).unwrap()
    }
}

async fn app(issuer: &Agent, keys: &[Signer]) -> App {
    let keys: Vec<_> = keys.iter().map(Signer::public).collect();
    issuer.on("/jwks", move |_| Reply::Json(200, json!({"keys": keys})));
    let url = issuer.url("/jwks");
    guarded(&[COMMON[0], COMMON[1], ("STEPWELL_JWT_JWKS_URL", &url)]).await
}

#[tokio::test]
async fn rs256_es256_and_eddsa_are_taken_and_nothing_else() {
    let issuer = Agent::start().await;
    let good = [
        Signer::new("rsa", Algorithm::RS256, RSA),
        Signer::new("ec", Algorithm::ES256, EC),
        Signer::new("ed", Algorithm::EdDSA, KEYS[0]),
    ];
    let app = app(&issuer, &good).await;
    for signer in &good {
        let named = signer.token(Some(signer.id));
        with(&app, Method::GET, "runs", &named).await.of(200);
        // Without a name it is clear as well: there is one key of each kind.
        let unnamed = signer.token(None);
        with(&app, Method::GET, "runs", &unnamed).await.of(200);
        with(&app, Method::DELETE, "workflows/w", &named)
            .await
            .problem(403);
    }
    for forger in [
        Signer::new("rsa", Algorithm::RS256, OTHER_RSA),
        Signer::new("ec", Algorithm::ES256, OTHER_EC),
        Signer::new("ed", Algorithm::EdDSA, KEYS[1]),
        // The right key, by an algorithm that it is not published for.
        Signer::new("rsa", Algorithm::RS512, RSA),
        Signer::new("rsa", Algorithm::PS256, RSA),
        // Another issuer's kind of key under this one's name.
        Signer::new("rsa", Algorithm::ES256, OTHER_EC),
        Signer::new("ec", Algorithm::EdDSA, KEYS[1]),
    ] {
        let forged = forger.token(Some(forger.id));
        with(&app, Method::GET, "runs", &forged).await.problem(401);
    }
    for signer in &good {
        // The signature of another token, and none.
        let other = encode(
            &Header::new(signer.algorithm),
            &claims("admin"),
            &signer.key,
        );
        let other = other.unwrap();
        let (signed, _) = other.rsplit_once('.').unwrap();
        let token = signer.token(Some(signer.id));
        let (_, signature) = token.rsplit_once('.').unwrap();
        for forged in [format!("{signed}.{signature}"), format!("{signed}.")] {
            with(&app, Method::GET, "runs", &forged).await.problem(401);
        }
    }
    app.finish().await;
}
