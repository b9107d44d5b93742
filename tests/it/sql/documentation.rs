//! The views and functions are a contract: each column and function is told in the database and in docs/sql.md.

use crate::harness::Database;
use crate::sql::psql::Psql;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sql.md");

#[tokio::test]
async fn every_column_is_told_twice() {
    let database = Database::migrated().await;
    let docs = std::fs::read_to_string(DOCS).unwrap();
    let columns = Psql::new(&database).run(
        "select c.relname, a.attname, col_description(c.oid, a.attnum), obj_description(c.oid)
         from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
         where c.relnamespace = 'stepwell'::regnamespace and c.relkind = 'v' order by 1, a.attnum",
    );
    assert!(columns.lines().count() > 60, "{columns}");
    for line in columns.lines() {
        let [view, column, comment, about] =
            line.split('|').collect::<Vec<_>>().try_into().unwrap();
        assert!(
            !comment.is_empty() && !about.is_empty(),
            "{view}.{column} has no comment"
        );
        let section = docs
            .split("\n### ")
            .find(|section| section.starts_with(&format!("`{view}`")));
        let section = section.unwrap_or_else(|| panic!("docs/sql.md has no section `{view}`"));
        assert!(
            section.contains(&format!("`{column}`")),
            "docs/sql.md does not tell {view}.{column}"
        );
    }
    database.drop_it().await;
}

#[tokio::test]
async fn every_function_for_callers_is_told_twice() {
    let database = Database::migrated().await;
    let docs = std::fs::read_to_string(DOCS).unwrap();
    // What somebody else than the owner may call.
    let functions = Psql::new(&database).run(
        "select distinct proname, coalesce(obj_description(p.oid), '') from pg_proc p, aclexplode(proacl) g
         where pronamespace = 'stepwell'::regnamespace and g.grantee <> p.proowner",
    );
    assert!(functions.lines().count() >= 8, "{functions}");
    for line in functions.lines() {
        let (name, comment) = line.split_once('|').unwrap();
        assert!(!comment.is_empty(), "{name} has no comment");
        assert!(
            docs.contains(&format!("`stepwell.{name}(")),
            "docs/sql.md does not tell {name}"
        );
    }
    database.drop_it().await;
}

/// The role as which the documentation says that an example runs; `None`: an administrator.
fn runs_as(sql: &str) -> Option<&'static str> {
    let calls = |words: &[&str]| {
        words
            .iter()
            .any(|word| sql.contains(&format!("stepwell.{word}(")))
    };
    if sql.contains("create role") {
        None
    } else if calls(&["execute"]) {
        Some("stepwell_app")
    } else if calls(&["cancel_run", "retry_run", "signal_run", "pause_queue"]) {
        Some("stepwell_operator")
    } else {
        Some("stepwell_reader")
    }
}

/// The statements of the documentation, as they stand there.
#[tokio::test]
async fn every_example_runs_as_the_role_that_is_named() {
    let database = Database::migrated().await;
    let docs = std::fs::read_to_string(DOCS).unwrap();
    let psql = Psql::new(&database);
    psql.run(
        r#"insert into stepwell.workflow (id, slug, name, latest_version) values (stepwell.uuid7(), 'booking', 'booking', 1);
           insert into stepwell.workflow_version (workflow_id, version, definition, content_hash, created_by)
           select id, 1, '{"name": "booking", "steps": [{"name": "charge", "type": "wait", "config": {"signal": "paid"}}]}', 'h', 't'
           from stepwell.workflow;
           create table orders (id int, guest text, run uuid);
           insert into orders values (7, 'Ada', null);
           grant all on orders to stepwell_app;"#,
    );
    let mut roles = std::collections::BTreeMap::new();
    for block in docs.split("```sql\n").skip(1) {
        let sql = block.split("```").next().unwrap();
        let role = runs_as(sql);
        let set = role.map_or_else(String::new, |role| format!("set local role {role};"));
        // An id of the reader's own; what is done to it depends on where that run stands.
        let script = format!(
            "select stepwell.execute('booking', '{{}}') as run \\gset\nselect stepwell.cancel_run(:'run') \\gset\n\
             begin;\n{set}\n{}\nrollback;",
            sql.replace("'0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41'", ":'run'")
                .replace("begin;", "")
                .replace("commit;", "")
        );
        psql.run(&script);
        *roles.entry(role).or_insert(0) += 1;
    }
    assert!(roles[&Some("stepwell_reader")] >= 8, "{roles:?}");
    assert!(roles[&Some("stepwell_operator")] >= 2, "{roles:?}");
    assert!(roles[&Some("stepwell_app")] >= 3, "{roles:?}");
    database.drop_it().await;
}

/// The names in the first column of a table, and the words beside them.
fn rows(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| `"));
    cells.filter_map(|line| line.split_once(" | "))
}

fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(", ").map(|name| name.trim_matches('`'))
}

#[tokio::test]
async fn readers_read_the_tables_that_are_named_and_no_others() {
    let database = Database::migrated().await;
    let docs = std::fs::read_to_string(DOCS).unwrap();
    let (_, tables) = docs.split_once("\n## The tables\n").unwrap();
    let (readable, owners) = tables
        .split_once("\nThe owner alone reads these:\n")
        .unwrap();
    let owner = Psql::new(&database);
    let reader = owner.after("set role stepwell_reader");
    let mut told = Vec::new();
    for (cell, words) in rows(readable) {
        for name in names(cell) {
            reader.run(&format!("select count(*) from stepwell.{name};"));
            told.push(name);
            // Columns are not read that the text takes out.
            let Some((_, hidden)) = words.split_once("; not ") else {
                continue;
            };
            for column in hidden.split('`').skip(1).step_by(2) {
                let has = format!(
                    "select count(*) from pg_attribute where attrelid = 'stepwell.{name}'::regclass and attname = '{column}';"
                );
                if owner.run(&has) == "1" {
                    let refused = reader.refused(&format!("select {column} from stepwell.{name};"));
                    refused.is("42501", &["permission denied"]);
                }
            }
        }
    }
    for (cell, _) in rows(owners) {
        for name in names(cell) {
            let refused = reader.refused(&format!("select count(*) from stepwell.{name};"));
            refused.is("42501", &["permission denied"]);
            told.push(name);
        }
    }
    told.sort_unstable();
    let all = owner.run(
        "select relname from pg_class c where relnamespace = 'stepwell'::regnamespace and relkind in ('r', 'p')
           and not relispartition order by relname collate \"C\"",
    );
    assert_eq!(told, all.lines().collect::<Vec<_>>());
    let hidden = owner.run(
        "select string_agg(format('%s.%s', c.relname, a.attname), ' ' order by c.relname, a.attname)
         from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
         where relnamespace = 'stepwell'::regnamespace and relkind in ('r', 'p') and not relispartition
           and has_any_column_privilege('stepwell_reader', c.oid, 'select')
           and not has_column_privilege('stepwell_reader', c.oid, a.attnum, 'select')",
    );
    assert_eq!(
        hidden,
        "agent.auth_secret delivery.callback_url subscription.old_secret subscription.secret workflow_version.secrets"
    );
    database.drop_it().await;
}
