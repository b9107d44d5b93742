//! Every operation of the document, with every role.

use reqwest::Method;
use serde_json::json;

use super::{ask, guarded, key};

const ROLES: [&str; 3] = ["viewer", "operator", "admin"];

#[tokio::test]
async fn every_operation_asks_for_its_role() {
    let app = guarded(&[]).await;
    let mut keys = Vec::new();
    for role in ROLES {
        keys.push(key(&app, role, role).await);
    }
    let document = app.api.get("/openapi.json").await.of(200).body;
    let (mut walked, mut roles) = (0, [0; 3]);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else {
                continue;
            };
            if !path.starts_with("/api/") {
                assert!(operation["x-stepwell-role"].is_null(), "{path}");
                app.api.get(path).await.of(200);
                continue;
            }
            let Some(needed) = operation["x-stepwell-role"].as_str() else {
                // It checks a token of its own, in its path.
                assert!(path.contains("{token}"), "{method} {path} says no role");
                continue;
            };
            let needed = ROLES.iter().position(|role| *role == needed).unwrap();
            for scheme in ["ApiKey", "Bearer"] {
                assert!(operation["security"].to_string().contains(scheme), "{path}");
            }
            // Names of nothing: whoever is let in changes nothing.
            let url = path.replace("{id}", "nothing").replace(['{', '}'], "");
            let name = format!("{method} {path}");
            let request = app.api.request(method.clone(), &url);
            app.api.send(request).await.problem(401);
            for (rank, key) in keys.iter().enumerate() {
                let answer = ask(&app.api, method.clone(), &url, key).await;
                if rank < needed {
                    let answer = answer.problem(403);
                    let detail = answer.text("/detail");
                    assert!(detail.contains(ROLES[needed]), "{name}: {detail}");
                } else {
                    assert!(
                        !matches!(answer.status, 401 | 403),
                        "{name}: {}",
                        answer.raw
                    );
                }
            }
            walked += 1;
            roles[needed] += 1;
        }
    }
    assert!(
        walked > 25 && roles.iter().all(|count| *count > 0),
        "{walked} {roles:?}"
    );
    let head = ask(&app.api, Method::HEAD, "keys", &keys[0]).await;
    assert_eq!(head.status, 403);
    app.finish().await;
}

#[tokio::test]
async fn one_principal_does_not_get_the_answers_of_another() {
    let app = guarded(&[]).await;
    let (one, other) = (
        key(&app, "one", "admin").await,
        key(&app, "other", "admin").await,
    );
    let agent = |name: &str, key: &str| {
        let request = app.api.request(Method::POST, "agents");
        let request = request
            .header("x-api-key", key)
            .header("idempotency-key", "same");
        request.json(&json!({"name": name, "url": "http://127.0.0.1:9/"}))
    };
    let first = app.api.send(agent("a", &one)).await.of(201);
    let second = app.api.send(agent("b", &other)).await.of(201);
    assert_ne!(first.text("/id"), second.text("/id"));
    app.api.send(agent("b", &one)).await.problem(422);
    app.finish().await;
}
