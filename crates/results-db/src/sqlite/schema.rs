//! The tables, and how older ones become them.

use super::translated;
use crate::DbError;
use rusqlite::Connection;
use std::path::Path;

/// `MLVI`: what the file's header calls the program that it belongs to.
const APPLICATION: u32 = 0x4d4c_5649;

/// A step for each version: the first makes the tables, each further one changes them. A step that
/// was released is never edited.
const STEPS: [&str; 2] = [include_str!("1.sql"), include_str!("2.sql")];

/// The newest version.
pub(crate) const VERSION: u32 = STEPS.len() as u32;

/// The same in a transaction of its own: all that is read is of the same moment.
fn found_now(connection: &Connection, path: &Path) -> Result<u32, DbError> {
    let reading = connection.unchecked_transaction().map_err(translated)?;
    found(&reading, path)
}

/// Whose file it is, and of which version; 0 is an empty one.
fn found(connection: &Connection, path: &Path) -> Result<u32, DbError> {
    let header = |field| {
        connection.pragma_query_value(None, field, |row| row.get::<_, u32>(0)).map_err(translated)
    };
    let (application, version) = (header("application_id")?, header("user_version")?);
    let tables: u32 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
        .map_err(translated)?;
    match (application, version) {
        (0, 0) if tables == 0 => Ok(0),
        (APPLICATION, version) if version > VERSION => {
            Err(DbError::Newer { found: version, known: VERSION })
        }
        (APPLICATION, version) => Ok(version),
        _ => Err(DbError::Foreign { place: path.display().to_string() }),
    }
}

/// Brings the tables to the newest version, each step as a whole or not at all.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), DbError> {
    migrate_by(&STEPS, connection, path)
}

fn migrate_by(steps: &[&str], connection: &mut Connection, path: &Path) -> Result<(), DbError> {
    let first = found_now(connection, path)?;
    if first == 0 {
        // only a file without tables can be made so that it shrinks again
        connection.pragma_update(None, "auto_vacuum", "incremental").map_err(translated)?;
    }
    for (version, step) in (1..).zip(steps).skip(first as usize) {
        let change = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(translated)?;
        // another writer may have done it meanwhile
        if found(&change, path)? >= version {
            continue;
        }
        change.execute_batch(step).map_err(translated)?;
        change.pragma_update(None, "application_id", APPLICATION).map_err(translated)?;
        change.pragma_update(None, "user_version", version).map_err(translated)?;
        change.commit().map_err(translated)?;
        tracing::info!(schema_version = version, path = %path.display(), "the database's tables are made or changed");
    }
    Ok(())
}

/// Whether there is something that can be read.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), DbError> {
    match found_now(connection, path)? {
        0 => Err(DbError::Empty { place: path.display().to_string() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_made_as_a_whole_or_not_at_all_and_only_once() {
        let path = Path::new("results.sqlite");
        let mut file = Connection::open_in_memory().unwrap();
        let version = |file: &Connection| found(file, path);
        let (first, second) = ("CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y");
        migrate_by(&[first], &mut file, path).unwrap();
        migrate_by(&[first], &mut file, path).unwrap();
        let broken = "ALTER TABLE a ADD COLUMN y; ALTER TABLE nobody ADD COLUMN y";
        let error = migrate_by(&[first, broken], &mut file, path).unwrap_err();
        assert!(matches!(error, DbError::Refused { .. }), "{error}");
        let columns = "SELECT count(*) FROM pragma_table_info('a')";
        let columns = |file: &Connection| file.query_row(columns, (), |row| row.get::<_, u32>(0));
        assert_eq!((version(&file), columns(&file)), (Ok(1), Ok(1)));
        // the first is not made again
        migrate_by(&[first, second], &mut file, path).unwrap();
        assert_eq!(columns(&file), Ok(2));
        let header = file.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0));
        assert_eq!(header, Ok(2));
    }

    #[test]
    fn writers_that_begin_at_once_all_find_the_tables() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..20 {
            let path = folder.path().join(format!("{round}.sqlite"));
            let begin = std::sync::Barrier::new(4);
            let open = || {
                let mut file = Connection::open(&path).unwrap();
                file.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
                begin.wait();
                migrate(&mut file, &path)
            };
            std::thread::scope(|scope| {
                let writers: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
                for writer in writers {
                    assert_eq!(writer.join().unwrap(), Ok(()));
                }
            });
        }
    }
}
