//! The three roles may do what they are for, and nothing else.

use serde_json::json;

use crate::harness::process::EXIT_OK;
use crate::harness::{App, Database, Process, Server};
use crate::sql::psql::Psql;

const DENIED: &str = "42501";
const ROLES: [&str; 3] = ["stepwell_reader", "stepwell_operator", "stepwell_app"];
const CONTROLS: [&str; 5] = [
    "cancel_run('R')",
    "retry_run('R')",
    "signal_run('R', 'go')",
    "pause_run('R')",
    "resume_run('R')",
];

/// Makes a login of each role; gives what psql says as each.
fn logins(database: &Database) -> Vec<(&'static str, Psql)> {
    let owner = Psql::new(database);
    ROLES
        .iter()
        .map(|role| {
            let login = format!("{}_{role}", database.name);
            owner.run(&format!(
                "create role {login} login password 'only-here' in role {role};"
            ));
            let mut url = url::Url::parse(&database.url).unwrap();
            url.set_username(&login).unwrap();
            url.set_password(Some("only-here")).unwrap();
            (*role, Psql::at(url.as_str()))
        })
        .collect()
}

fn drop_logins(database: &Database) {
    let owner = Psql::new(database);
    for role in ROLES {
        owner.run(&format!("drop role {}_{role};", database.name));
    }
}

#[tokio::test]
async fn each_role_calls_what_it_is_for() {
    let app = App::separate(0, &[]).await;
    app.api
        .workflow(
            "w",
            json!([{"name": "t", "type": "transform", "config": {"value": 1}}]),
        )
        .await;
    for (role, psql) in logins(&app.database) {
        let run = app.api.start("w", json!({})).await;
        for call in CONTROLS {
            let sql = format!("select stepwell.{};", call.replace('R', &run));
            if role == "stepwell_reader" {
                psql.refused(&sql).is(DENIED, &["permission denied"]);
            } else if call.starts_with("cancel") {
                psql.run(&sql);
                let by = app.api.run(&run).await["cancelled_by"].clone();
                assert_eq!(by, json!(format!("sql:{}_{role}", app.database.name)));
            } else {
                psql.run(&sql);
            }
        }
        for sql in [
            "select stepwell.pause_queue('default');",
            "select stepwell.resume_queue('default');",
        ] {
            if role == "stepwell_reader" {
                psql.refused(sql).is(DENIED, &["permission denied"]);
            } else {
                psql.run(sql);
            }
        }
        let execute = "select stepwell.execute('w', '{}');";
        if role == "stepwell_app" {
            let id = psql.run(execute);
            let made = app.api.run(&id).await;
            assert_eq!(
                made["triggered_by"],
                json!(format!("sql:{}_{role}", app.database.name))
            );
        } else {
            psql.refused(execute).is(DENIED, &["permission denied"]);
        }
    }
    drop_logins(&app.database);
    app.finish().await;
}

#[tokio::test]
async fn every_role_reads_and_none_writes() {
    let app = App::separate(0, &[]).await;
    let secret = json!({"name": "a", "url": "http://127.0.0.1:9/a", "auth_type": "bearer", "auth_config": {"token": "s3cret"}});
    app.api.post("agents", secret).await.of(201);
    app.api
        .workflow(
            "w",
            json!([{"name": "t", "type": "transform", "config": {"value": 1}}]),
        )
        .await;
    app.api.start("w", json!({})).await;
    let owner = Psql::new(&app.database);
    let tables = owner.run(
        "select format('%I', relname) from pg_class where relnamespace = 'stepwell'::regnamespace and relkind in ('r', 'p') order by 1",
    );
    let views = owner.run("select relname from pg_class where relnamespace = 'stepwell'::regnamespace and relkind = 'v'");
    assert!(
        views.lines().count() >= 6 && tables.lines().count() >= 11,
        "{views}\n{tables}"
    );
    let inner = owner.run(
        "select format('%s(%s)', proname, (select string_agg('null', ', ') from generate_series(1, pronargs)))
         from pg_proc where pronamespace = 'stepwell'::regnamespace and prorettype <> 'trigger'::regtype
           and proname in ('cancel_unbegun', 'send', 'open_generation', 'tell', 'stands', 'say', 'grant_roles', 'uuid7', 'turn_queue')",
    );
    assert_eq!(inner.lines().count(), 9, "{inner}");
    for (_, psql) in logins(&app.database) {
        for view in views.lines() {
            psql.run(&format!("select * from stepwell.{view};"));
        }
        assert_eq!(psql.run("select count(*) from stepwell.v_runs where id >= stepwell.uuid7_bound(now() - interval '1 hour');"), "1");
        assert_eq!(
            psql.run("select name, auth_type from stepwell.agent;"),
            "a|bearer"
        );
        for sql in [
            "select auth_secret from stepwell.agent",
            "select * from stepwell.agent",
            "select body from stepwell.idempotency",
        ] {
            psql.refused(sql).is(DENIED, &["permission denied"]);
        }
        for table in tables.lines() {
            for sql in [
                format!("delete from stepwell.{table}"),
                format!("truncate stepwell.{table}"),
                format!("insert into stepwell.{table} default values"),
            ] {
                psql.refused(&sql).is(DENIED, &["permission denied"]);
            }
        }
        for sql in [
            "update stepwell.audit set actor = 'nobody'",
            "update stepwell.run set status = 'completed'",
            "update stepwell.v_audit set actor = 'nobody'",
            "create table stepwell.mine (id int)",
            "set role postgres",
        ] {
            psql.refused(sql).is(DENIED, &["permission denied"]);
        }
        for call in inner.lines() {
            psql.refused(&format!("select stepwell.{call};"))
                .is(DENIED, &["permission denied"]);
        }
    }
    // The owner may write tables, and still not this one.
    for sql in [
        "update stepwell.audit set actor = 'x'",
        "delete from stepwell.audit",
        "truncate stepwell.audit",
    ] {
        owner.refused(sql).is(DENIED, &["never changed"]);
    }
    drop_logins(&app.database);
    app.finish().await;
}

#[tokio::test]
async fn who_calls_cannot_lend_its_own_names() {
    let app = App::separate(0, &[]).await;
    app.api
        .workflow(
            "w",
            json!([{"name": "t", "type": "transform", "config": {"value": 1}}]),
        )
        .await;
    let logins = logins(&app.database);
    let (_, psql) = &logins[2];
    // Names that a function would find first if it looked where its caller looks.
    let id = psql.run(
        "create temp table job (run_id uuid); create temp table run (id uuid);
         create function pg_temp.now() returns timestamptz language plpgsql as $$ begin raise exception 'borrowed'; end $$;
         create function pg_temp.length(text) returns int language plpgsql as $$ begin raise exception 'borrowed'; end $$;
         set search_path = pg_temp, pg_catalog;
         select stepwell.execute('w', '{}', '{\"queue\": \"mine\", \"dedupe_key\": \"k\"}');",
    );
    psql.run(&format!(
        "set search_path = pg_temp, pg_catalog; select stepwell.cancel_run('{id}', 'why');"
    ));
    assert_eq!(app.api.run(&id).await["status"], "cancelled");
    drop_logins(&app.database);
    app.finish().await;
}

/// On a server without the roles, by an owner who may not make any.
#[tokio::test]
async fn a_migration_without_the_right_to_make_roles_succeeds() {
    let server = Server::start();
    let database = Database::on(&server).await;
    let admin = Psql::new(&database);
    admin.run(&format!(
        "create role plain login password 'only-here'; alter database {} owner to plain;",
        database.name
    ));
    let mut url = url::Url::parse(&database.url).unwrap();
    url.set_username("plain").unwrap();
    url.set_password(Some("only-here")).unwrap();
    let mut migrate = Process::spawn(
        "migrate",
        &["migrate", "up"],
        &[("DATABASE_URL", url.as_str())],
    );
    assert_eq!(
        migrate.exit().await.code(),
        Some(EXIT_OK),
        "{}",
        migrate.log()
    );
    let roles = "select count(*) from pg_roles where rolname like 'stepwell%'";
    assert_eq!(admin.run(roles), "0");
    let owner = Psql::at(url.as_str());
    assert_eq!(owner.run("select stepwell.grant_roles();"), "{}");
    admin.run("create role stepwell_reader nologin; create role stepwell_operator nologin; create role stepwell_app nologin;");
    assert_eq!(
        owner.run("select stepwell.grant_roles();"),
        "{stepwell_app,stepwell_operator,stepwell_reader}"
    );
    let reader = admin.after("set role stepwell_reader");
    assert_eq!(reader.run("select count(*) from stepwell.v_runs;"), "0");
    reader
        .refused("select stepwell.execute('w', '{}');")
        .is(DENIED, &["execute"]);
    admin
        .after("set role stepwell_app")
        .refused("select stepwell.execute('w', '{}');")
        .is("P0002", &["no workflow w"]);
    drop(migrate);
    database.drop_it().await;
}
