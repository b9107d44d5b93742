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

/// The statements of the documentation, as they stand there.
#[tokio::test]
async fn every_example_runs() {
    let database = Database::migrated().await;
    let docs = std::fs::read_to_string(DOCS).unwrap();
    let psql = Psql::new(&database);
    psql.run(
        r#"insert into stepwell.workflow (id, slug, name, latest_version) values (stepwell.uuid7(), 'booking', 'booking', 1);
           insert into stepwell.workflow_version (workflow_id, version, definition, content_hash, created_by)
           select id, 1, '{"name": "booking", "steps": [{"name": "charge", "type": "wait", "config": {"signal": "paid"}}]}', 'h', 't'
           from stepwell.workflow;
           create table orders (id int, guest text, run uuid);
           insert into orders values (7, 'Ada', null);"#,
    );
    let mut count = 0;
    for block in docs.split("```sql\n").skip(1) {
        let sql = block.split("```").next().unwrap();
        // An id of the reader's own; what is done to it depends on where that run stands.
        let script = format!(
            "select stepwell.execute('booking', '{{}}') as run \\gset\nselect stepwell.cancel_run(:'run') \\gset\nbegin;\n{}\nrollback;",
            sql.replace("'0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41'", ":'run'")
                .replace("commit;", "")
        );
        psql.run(&script);
        count += 1;
    }
    assert!(count >= 8, "{count} examples");
    database.drop_it().await;
}
