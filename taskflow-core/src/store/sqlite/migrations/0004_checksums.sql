-- Schema 4. Checksums. What was stored before has none.

ALTER TABLE segments ADD COLUMN checksum INTEGER;
ALTER TABLE segments ADD COLUMN data_checksum INTEGER;
ALTER TABLE graphs ADD COLUMN checksum INTEGER;
ALTER TABLE requests ADD COLUMN checksum INTEGER;
ALTER TABLE outbox ADD COLUMN checksum INTEGER;
ALTER TABLE deliveries ADD COLUMN checksum INTEGER;

-- One for each group of columns that is written together.
ALTER TABLE runs ADD COLUMN checksum_info INTEGER;
ALTER TABLE runs ADD COLUMN checksum_params INTEGER;
ALTER TABLE runs ADD COLUMN checksum_state INTEGER;
ALTER TABLE runs ADD COLUMN checksum_owner INTEGER;
ALTER TABLE runs ADD COLUMN checksum_graph INTEGER;

-- The number and the checksum of the last segment of each run. Run 0 has the number of the last run that was stored
-- without checksums.
CREATE TABLE heads (
    run INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
INSERT INTO heads SELECT 0, coalesce(max(number), 0), 0 FROM runs;

-- A statement with OR IGNORE makes every statement of its triggers one with OR IGNORE.
CREATE TRIGGER segment_is_head AFTER INSERT ON segments WHEN NEW.checksum IS NOT NULL BEGIN
    INSERT INTO heads SELECT NEW.id >> 32, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM heads WHERE run = NEW.id >> 32);
    UPDATE heads SET last = NEW.id & 4294967295, checksum = NEW.checksum WHERE run = NEW.id >> 32;
END;
CREATE TRIGGER run_without_head AFTER DELETE ON runs BEGIN
    DELETE FROM heads WHERE run = OLD.number;
END;
