//! JSON Web Tokens, by a shared secret and by keys that an issuer publishes and rotates.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};

use super::guarded;
use crate::harness::{Agent, Answer, App, PATIENCE, Reply, until};

const SECRET: &str = "a secret of tokens that is long enough";
pub(super) const COMMON: [(&str, &str); 2] = [
    ("STEPWELL_JWT_ISSUER", "https://issuer.test"),
    ("STEPWELL_JWT_AUDIENCE", "stepwell"),
];
/// Ed25519 private keys in PKCS #8, made for these tests alone.
pub(super) const KEYS: [&str; 2] = [
    "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINgxNWe4+c7TPafPcteUbImIx5eSceZzSVZPngPYTGbH
-----END PRIVATE KEY-----
",
    "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIFFvNaWijaPjZXQOyeSR7DeJdipbgivBNho3BEpDlpTA
-----END PRIVATE KEY-----
",
];

pub(super) fn claims(role: &str) -> Value {
    json!({"sub": "ada@example.com", "iss": COMMON[0].1, "aud": COMMON[1].1, "role": role,
           "exp": jsonwebtoken::get_current_timestamp() + 60})
}

fn shared(claims: &Value) -> String {
    encode(
        &Header::default(),
        claims,
        &EncodingKey::from_secret(SECRET.as_bytes()),
    )
    .unwrap()
}

pub(super) async fn with(app: &App, method: Method, path: &str, token: &str) -> Answer {
    let request = app.api.request(method, path).bearer_auth(token);
    app.api.send(request).await
}

#[tokio::test]
async fn a_token_of_the_shared_secret_is_a_user() {
    let settings = [COMMON[0], COMMON[1], ("STEPWELL_JWT_SECRET", SECRET)];
    // Tokens that are set up are reason enough to ask.
    let app = App::separate(0, &settings).await;
    app.api.get("runs").await.problem(401);
    let token = shared(&claims("admin"));
    with(&app, Method::GET, "runs", &token).await.of(200);
    let agent = json!({"name": "a", "url": "http://127.0.0.1:9/"});
    let request = app
        .api
        .request(Method::POST, "agents")
        .bearer_auth(&token)
        .json(&agent);
    app.api.send(request).await.of(201);
    let actor = "select actor from stepwell.audit where action = 'agent.created'";
    assert_eq!(
        app.database.text(actor).await.as_deref(),
        Some("user:ada@example.com")
    );
    let viewer = shared(&claims("viewer"));
    with(&app, Method::DELETE, "agents/a", &viewer)
        .await
        .problem(403);
    let unknown = with(&app, Method::GET, "runs", &shared(&claims("root")))
        .await
        .problem(403);
    assert!(
        unknown
            .text("/detail")
            .contains("viewer, operator and admin"),
        "{}",
        unknown.raw
    );
    for (field, value, told) in [
        ("iss", json!("https://evil.test"), "issuer"),
        ("aud", json!("another"), "audience"),
        ("exp", json!(1_000_000_000), "expired"),
    ] {
        let mut claims = claims("admin");
        claims[field] = value;
        let refused = with(&app, Method::GET, "runs", &shared(&claims))
            .await
            .problem(401);
        assert!(refused.text("/detail").contains(told), "{}", refused.raw);
        assert!(refused.header("www-authenticate").contains("invalid_token"));
        assert!(!app.processes[0].log().contains(&shared(&claims)));
    }
    let forged = token.rsplit_once('.').unwrap().0.to_owned();
    for forged in [
        format!("{forged}."),
        format!("{forged}.AAAA"),
        "x.y.z".to_owned(),
    ] {
        with(&app, Method::GET, "runs", &forged).await.problem(401);
    }
    app.finish().await;
}

fn public(key: &str, id: &str) -> Value {
    let key = EncodingKey::from_ed_pem(key.as_bytes()).unwrap();
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::EdDSA).unwrap();
    jwk.common.key_id = Some(id.to_owned());
    serde_json::to_value(jwk).unwrap()
}

fn signed(key: &str, id: &str) -> String {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(id.to_owned());
    let key = EncodingKey::from_ed_pem(key.as_bytes()).unwrap();
    encode(&header, &claims("viewer"), &key).unwrap()
}

#[tokio::test]
async fn a_stream_ends_with_the_token_that_opened_it() {
    let settings = [COMMON[0], COMMON[1], ("STEPWELL_JWT_SECRET", SECRET)];
    let app = App::separate(0, &settings).await;
    let mut claims = claims("viewer");
    // Over already, but for the clocks that may differ by half a minute.
    claims["exp"] = json!(jsonwebtoken::get_current_timestamp() - 27);
    let request = app.api.request(Method::GET, "events");
    let mut response = request.bearer_auth(shared(&claims)).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert!(response.chunk().await.unwrap().is_some(), "it begins");
    let reading = async { while response.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("the stream ends");
    with(&app, Method::GET, "runs", &shared(&claims))
        .await
        .problem(401);
    app.finish().await;
}

#[tokio::test]
async fn keys_of_an_issuer_rotate_without_a_restart() {
    let issuer = Agent::start().await;
    let published = Arc::new(Mutex::new(json!({"keys": [public(KEYS[0], "one")]})));
    let shown = Arc::clone(&published);
    issuer.on("/jwks", move |_| {
        Reply::Json(200, shown.lock().unwrap().clone())
    });
    let url = issuer.url("/jwks");
    let settings = [
        COMMON[0],
        COMMON[1],
        ("STEPWELL_JWT_JWKS_URL", url.as_str()),
    ];
    let app = guarded(&settings).await;
    let (one, two) = (signed(KEYS[0], "one"), signed(KEYS[1], "two"));
    with(&app, Method::GET, "runs", &one).await.of(200);
    with(&app, Method::GET, "runs", &one).await.of(200);
    assert_eq!(issuer.calls("/jwks").len(), 1, "kept");
    // Signed by another key than it names, or by one that is not there.
    with(&app, Method::GET, "runs", &signed(KEYS[1], "one"))
        .await
        .problem(401);
    with(&app, Method::GET, "runs", &two).await.problem(401);
    // A public key is no shared secret.
    let public_text = public(KEYS[0], "one").to_string();
    let confused = encode(
        &Header::default(),
        &claims("admin"),
        &EncodingKey::from_secret(public_text.as_bytes()),
    );
    with(&app, Method::GET, "runs", &confused.unwrap())
        .await
        .problem(401);
    *published.lock().unwrap() = json!({"keys": [public(KEYS[1], "two"), {"kty": "new"}]});
    until("the new key counts", Duration::from_secs(20), async || {
        let answer = with(&app, Method::GET, "runs", &two).await;
        (answer.status == 200).then_some(())
    })
    .await;
    // Told apart or not: many attempts with the new key failed while it was unknown.
    let withdrawn = with(&app, Method::GET, "runs", &one).await;
    assert!(matches!(withdrawn.status, 401 | 429), "{}", withdrawn.raw);
    // Names that nobody knows do not send us to the issuer each time.
    let before = issuer.calls("/jwks").len();
    for n in 0..10 {
        let answer = with(
            &app,
            Method::GET,
            "runs",
            &signed(KEYS[0], &format!("k{n}")),
        )
        .await;
        assert!(matches!(answer.status, 401 | 429), "{}", answer.raw);
    }
    assert!(issuer.calls("/jwks").len() <= before + 1);
    app.finish().await;
}

#[tokio::test]
async fn an_issuer_that_is_away_is_no_fault_of_the_token() {
    let nobody = format!("http://127.0.0.1:{}/jwks", crate::harness::port::free());
    let settings = [
        COMMON[0],
        COMMON[1],
        ("STEPWELL_JWT_JWKS_URL", nobody.as_str()),
    ];
    let app = guarded(&settings).await;
    let token = signed(KEYS[0], "one");
    for _ in 0..3 {
        let answer = with(&app, Method::GET, "runs", &token).await.problem(503);
        assert!(!answer.raw.contains("jwks"), "{}", answer.raw);
    }
    app.finish().await;
}
