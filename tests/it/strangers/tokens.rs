//! A token of one's own is looked at before the body: a wrong one is 404, and nothing is read.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::auth::KEYS;
use crate::harness::{App, PATIENCE};

#[tokio::test]
async fn a_wrong_token_is_404_whatever_the_body_and_before_it_comes() {
    let app = App::separate(0, &[KEYS]).await;
    let document = app.api.get("/openapi.json").await.of(200).body;
    let paths = document["paths"].as_object().unwrap();
    let paths: Vec<_> = paths
        .keys()
        .filter(|path| path.contains("{token}"))
        .collect();
    assert_eq!(paths.len(), 5);
    let token = "AQGh_qbUo3V5mWDCgoC6AcQAAP____8AAAABAAAAAQAABaH-ptqsSMTHwj8WzpPB";
    for path in paths {
        for (token, more) in [
            (
                token,
                "content-type: application/json\r\ncontent-length: 4000000",
            ),
            ("x", "content-length: 900000000"),
            (token, "transfer-encoding: chunked"),
            (
                "x",
                "content-type: application/xml\r\ncontent-encoding: gzip\r\ncontent-length: 7",
            ),
        ] {
            let path = path.replace("{token}", token);
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{more}\r\n\r\n");
            let mut stream = TcpStream::connect(("127.0.0.1", app.port)).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // Nothing of the body is sent, and the connection ends as nothing of it is waited for.
            let read = stream.read_to_end(&mut answer);
            let _ = tokio::time::timeout(PATIENCE, read)
                .await
                .expect("an answer");
            let answer = String::from_utf8_lossy(&answer);
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let body: Value = serde_json::from_str(body).unwrap();
            // So many are failed attempts as well.
            let status = body["status"].as_u64().unwrap();
            assert!(status == 404 || status == 429, "{path}: {head}\n{body}");
            assert!(!body.to_string().contains(token) || token == "x", "{body}");
        }
    }
    app.finish().await;
}
