"""The tools for SQLite: what a query may see, what it must not touch, and when it ends."""

import asyncio
import json
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit import ConfigurationError, ToolError
from agentkit_tools import sql as module
from agentkit_tools.sql import sql

FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "


class Kit:
    """The tools of a database by name; the one that is awaited is run."""

    def __init__(self, path, **options):
        self.tools = {tool.name.partition("_")[0]: tool for tool in sql(path, **options)}

    def query(self, statement):
        return self.tools["query"](statement)

    def describe(self, name=""):
        return self.tools["describe"](name)

    def change(self, statement):
        return asyncio.run(self.tools["change"](statement))

    def rows(self, statement):
        return [json.loads(line) for line in self.query(statement).splitlines()]


@pytest.fixture
def path(tmp_path):
    """A database, beside files that must not be touched. Its name would mean something in a URI."""
    (tmp_path / "secret.txt").write_text("the secret outside")
    path = tmp_path / "shop?mode=rwc&x=#1%20.db"
    connection = sqlite3.connect(path)
    connection.executescript("""
        CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL -- in euros
        );
        INSERT INTO goods (name, price) VALUES ('tea', 2.5), ('salt', 0.9), ('jam', NULL);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, good INTEGER REFERENCES goods (id));
        CREATE INDEX by_name ON goods (name);
        CREATE VIEW cheap AS SELECT name FROM goods WHERE price < 1;
        CREATE VIEW evil AS SELECT load_extension('/tmp/evil.so');
    """)
    connection.close()
    return path


@pytest.fixture
def kit(path):
    return Kit(path, write=True, timeout=1.0)


def everything(path):
    return {one.name: one.read_bytes() for one in path.parent.iterdir()}


def test_rows_are_json_lists_under_the_names_of_the_columns(kit):
    assert kit.query("SELECT name, price FROM goods ORDER BY id") == (
        '["name","price"]\n["tea",2.5]\n["salt",0.9]\n["jam",null]'
    )
    assert kit.query("SELECT * FROM goods WHERE id > 99") == '["id","name","price"]\n(no rows)'
    assert kit.rows("WITH c AS (SELECT name FROM cheap) SELECT * FROM c")[1:] == [["salt"]]
    assert kit.rows("VALUES (1, 'a'), (2, 'b')")[1:] == [[1, "a"], [2, "b"]]
    assert kit.rows("-- a word first\n/* and * another */ SELECT 1")[1:] == [[1]]
    assert kit.rows("SELECT value FROM json_each('[1, 2]')")[1:] == [[1], [2]]
    assert kit.rows("PRAGMA table_info(goods)")[1][1] == "id"
    assert kit.query("EXPLAIN QUERY PLAN SELECT * FROM goods").endswith('"SCAN goods"]')


def test_the_tables_are_described_by_what_made_them(kit):
    told = kit.describe()
    assert "CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL -- in euros\n" in told
    assert "CREATE INDEX by_name ON goods (name);" in told
    assert kit.describe("CHEAP").startswith("CREATE VIEW cheap")
    with pytest.raises(ToolError, match="no table or view `nope`"):
        kit.describe("nope")
    with pytest.raises(ToolError, match="no table or view"):
        kit.describe("x' OR 1=1 --")


REFUSED_TO_READERS = [
    "INSERT INTO goods (name) VALUES ('x')",
    "insert into goods (name) values ('x') returning id",
    "UPDATE goods SET price = 0",
    "DELETE FROM goods RETURNING *",
    "REPLACE INTO goods (id, name) VALUES (1, 'x')",
    "WITH x AS (SELECT 1) INSERT INTO goods (name) SELECT 'x' FROM x",
    "WITH x AS (SELECT 1) DELETE FROM goods",
    "EXPLAIN DELETE FROM goods",
    "DROP TABLE goods",
    "CREATE TABLE x (a)",
    "CREATE TEMP TABLE x (a)",
    "ALTER TABLE goods RENAME TO x",
    "UPDATE sqlite_schema SET sql = ''",
    "SELECT 1; DROP TABLE goods",
    "SELECT 1;;DELETE FROM goods",
    "REINDEX",
    "ANALYZE",
    "PRAGMA query_only = OFF",
]

REFUSED_TO_ALL = [
    "ATTACH DATABASE '{other}' AS other",
    "/**/ATTACH '{other}' AS other",
    "ATTACH 'file:{other}?mode=rwc' AS other",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO '{other}'",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = ON",
    "PRAGMA temp_store_directory = '/'",
    "PRAGMA trusted_schema = ON",
    "PRAGMA max_page_count = 999999999",
    "PRAGMA database_list",
    "PRAGMA main.key = 'x'",
    "SELECT * FROM pragma_database_list",
    "SELECT load_extension('/tmp/evil.so')",
    "SELECT LOAD_EXTENSION('/tmp/evil.so', 'init')",
    "SELECT * FROM evil",
    "SELECT readfile('{secret}')",
    "SELECT writefile('{other}', 'x')",
    "SELECT edit('x', 'sh')",
    "SELECT fts3_tokenizer('simple', x'00')",
    "CREATE VIRTUAL TABLE x USING fts5(a)",
    "CREATE TEMP TRIGGER x AFTER INSERT ON goods BEGIN SELECT 1; END",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT x",
    "RELEASE x",
    "UPDATE sqlite_schema SET sql = ''",
    ".shell id",
    ".read {secret}",
    "SELECT 'a\0b'",
    "SELECT '\ud800'",
    "",
    ";",
    "/* for ever",
    "SELEC 1",
    "x" * 1_000_000,
    "SELECT '" + "x" * 60_000 + "'",
    "SELECT " + "(" * 10_000 + "1" + ")" * 10_000,
    "SELECT " + "-" * 10_000 + "1",
    "SELECT 1" + " UNION SELECT 1" * 1_000,
    "SELECT 1 WHERE 'a' LIKE '" + "%a" * 300 + "'",
    "SELECT zeroblob(1000000000)",
    "SELECT hex(randomblob(400000))",
    "SELECT group_concat(hex(randomblob(200000))) FROM goods",
]


@pytest.mark.parametrize("statement", REFUSED_TO_READERS + REFUSED_TO_ALL, ids=lambda one: ascii(one[:40]))
def test_reading_changes_nothing_and_reaches_nothing_else(path, kit, statement):
    before = everything(path)
    other = path.parent / "other.db"
    with pytest.raises(ToolError) as refused:
        kit.query(statement.replace("{other}", str(other)).replace("{secret}", str(path.parent / "secret.txt")))
    assert "the secret outside" not in str(refused.value)
    assert len(str(refused.value)) < 700
    assert everything(path) == before


@pytest.mark.parametrize("statement", REFUSED_TO_ALL, ids=lambda one: ascii(one[:40]))
def test_writing_reaches_nothing_but_the_database(path, kit, statement):
    before = everything(path)
    with pytest.raises(ToolError) as refused:
        kit.change(
            statement.replace("{other}", str(path.parent / "other.db")).replace(
                "{secret}", str(path.parent / "secret.txt")
            )
        )
    assert "the secret outside" not in str(refused.value)
    assert everything(path) == before


def test_a_query_that_does_not_end_is_stopped(kit, path):
    for statement in (
        FOREVER + "SELECT count(*) FROM n",
        FOREVER + "SELECT i FROM n WHERE i < 0",
        FOREVER + "SELECT max(i) FROM (SELECT i FROM n ORDER BY -i)",
        "SELECT count(*) FROM goods a, goods b, " + ", ".join(f"goods c{n}" for n in range(30)),
    ):
        with pytest.raises(ToolError, match=r"longer than 1 second"):
            kit.query(statement)
    before = path.read_bytes()
    with pytest.raises(ToolError, match=r"longer than 1 second"):
        kit.change(FOREVER + "UPDATE goods SET price = (SELECT count(*) FROM n)")
    assert path.read_bytes() == before


def test_answers_have_a_largest_size(path, kit):
    told = kit.query(FOREVER + "SELECT i FROM n")
    assert told.startswith('["i"]\n[1]\n[2]\n')
    assert told.endswith("[200]\n[there is more than is told: use LIMIT and OFFSET, or ask for less]")
    cell = kit.rows("SELECT printf('%.*c', 400000, 'x'), x'0102'")[1]
    assert cell == ["x" * module.MAX_CELL + "…", "(2 bytes)"]
    small = Kit(path, max_chars=200, max_rows=3)
    assert small.query("SELECT * FROM goods").count("\n") == 3
    assert small.query(FOREVER + "SELECT i FROM n").splitlines()[3:] == [
        "[3]",
        "[there is more than is told: use LIMIT and OFFSET, or ask for less]",
    ]
    assert len(small.query("SELECT printf('%.*c', 150, 'x') FROM goods")) < 300
    assert len(small.describe()) < 300
    assert len(small.query("SELECT " + ", ".join(["'" + "x" * 500 + "'"] * 20))) < 300


def test_what_is_in_a_cell_cannot_forge_a_row(kit):
    kit.change(
        "INSERT INTO goods (id, name) VALUES (9, 'a' || char(10) || '[10,\"x\"]' || char(27) || '[2J' || char(8238))"
    )
    told = kit.query("SELECT id, name FROM goods WHERE id >= 9")
    assert told == '["id","name"]\n[9,"a\\n[10,\\"x\\"]"]'


def test_text_that_is_no_unicode_is_told_all_the_same(kit, path):
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO goods (id, name) VALUES (7, CAST(x'ff41' AS TEXT))")
    connection.commit()
    connection.close()
    assert kit.rows("SELECT name FROM goods WHERE id = 7")[1:] == [["\ufffdA"]]


def test_changes_are_told_and_kept(kit):
    assert kit.change("INSERT INTO goods (name) VALUES ('a'), ('b')") == "done: 2 rows changed"
    assert kit.change("INSERT INTO goods (name) VALUES ('c') RETURNING name") == 'done: 1 row changed\n["name"]\n["c"]'
    assert kit.change("UPDATE goods SET price = 1") == "done: 6 rows changed"
    assert kit.change("CREATE TABLE more (a)") == "done"
    assert kit.change("ALTER TABLE more RENAME COLUMN a TO b") == "done"
    assert kit.change("DROP TABLE more") == "done"
    assert kit.rows("SELECT count(*), sum(price) FROM goods")[1:] == [[6, 6.0]]


def test_a_change_that_fails_is_undone_as_a_whole(kit, path):
    before = path.read_bytes()
    for statement, words in (
        ("INSERT INTO goods (name) VALUES ('x'), (NULL)", "NOT NULL"),
        ("UPDATE goods SET id = 1", "UNIQUE"),
        ("INSERT INTO orders (good) VALUES (77)", "FOREIGN KEY"),
        (FOREVER + "INSERT INTO goods (name) SELECT hex(zeroblob(100000)) FROM n", "let the file grow by"),
        ("INSERT INTO goods (name) VALUES ('x'); DROP TABLE goods", "one statement"),
    ):
        with pytest.raises(ToolError, match=words):
            Kit(path, write=True, timeout=20).change(statement)
    assert path.read_bytes() == before


def test_a_trigger_cannot_reach_out(kit):
    kit.change("CREATE TRIGGER t AFTER INSERT ON goods BEGIN SELECT load_extension('/tmp/evil.so'); END")
    with pytest.raises(ToolError, match="load_extension"):
        kit.change("INSERT INTO goods (name) VALUES ('x')")


def test_full_text_tables_can_be_read_and_written(kit, path):
    connection = sqlite3.connect(path)
    connection.executescript("CREATE VIRTUAL TABLE notes USING fts5(text); INSERT INTO notes VALUES ('buy bread');")
    connection.close()
    assert kit.change("INSERT INTO notes VALUES ('eat bread')") == "done: 1 row changed"
    assert kit.rows("SELECT text FROM notes WHERE notes MATCH 'bread'")[1:] == [["buy bread"], ["eat bread"]]


def test_another_connection_that_writes_does_not_hang_a_call(kit, path):
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ToolError, match="locked"):
        kit.change("UPDATE goods SET price = 1")
    with pytest.raises(ToolError, match="locked"):
        kit.query("SELECT * FROM goods")
    writer.execute("ROLLBACK")
    writer.close()
    assert kit.query("SELECT count(*) FROM goods").endswith("[3]")


def test_writing_is_there_only_where_it_was_asked_for(path):
    assert [tool.name for tool in sql(path)] == ["describe_database", "query_database"]
    describe, query, change = sql(path, write=True, approval=True)
    assert (describe.side_effects, query.side_effects, change.side_effects) == ("none", "none", "unsafe")
    assert (query.approval, change.approval, change.sequential) == (False, True, True)


def test_mistakes_of_the_developer_are_told_at_once(path, tmp_path):
    for wrong in (tmp_path / "nope.db", tmp_path, ":memory:"):
        with pytest.raises(ConfigurationError, match="no such file"):
            sql(wrong)
    assert not (tmp_path / "nope.db").exists()
    for options in ({"timeout": 0}, {"max_rows": 0}, {"max_chars": 1}):
        with pytest.raises(ConfigurationError, match="must be"):
            sql(path, **options)
    with pytest.raises(ToolError, match="not a database"):
        Kit(tmp_path / "secret.txt").query("SELECT 1 FROM goods")


WORDS = "SELECT DELETE FROM goods WITH x AS ( ) , * 1 ; -- /* */ ATTACH ' INSERT INTO VALUES PRAGMA = VACUUM EXPLAIN"


@given(st.lists(st.sampled_from(WORDS.split()), max_size=10))
def test_no_statement_put_together_by_chance_changes_the_file(shared, words):
    path, kit, before = shared
    try:
        kit.query(" ".join(words))
    except ToolError:
        pass
    assert everything(path) == before


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    path = tmp_path_factory.mktemp("shared") / "goods.db"
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE goods (id); INSERT INTO goods VALUES (1);")
    connection.close()
    return path, Kit(path), everything(path)
