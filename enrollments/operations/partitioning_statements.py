"""What `partitioning` asks the catalog about the table of receipts (`table`), and the trigger that it makes."""

PARTS = """
SELECT part.oid::regclass::text, pg_get_expr(part.relpartbound, part.oid), greatest(part.reltuples, 0)::bigint,
       pg_total_relation_size(part.oid)
  FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid
 WHERE inhparent = %(table)s::regclass ORDER BY part.oid
"""
# In place of the unique and the foreign key of `undoes`: see the migration `receipts_in_parts`.
TAKEN_BACK = """
CREATE TRIGGER taken_back_once BEFORE INSERT ON enrollments_receipt
  FOR EACH ROW WHEN (NEW.undoes_id IS NOT NULL) EXECUTE FUNCTION refuse_taking_back_twice()
"""
IS_DIVIDED = "SELECT relkind = 'p' FROM pg_class WHERE oid = %(table)s::regclass"
SEQUENCE = "SELECT pg_get_serial_sequence(%(table)s, 'id')"
INVALID_INDEX = "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(%(index)s) AND NOT indisvalid)"
IS_PROVEN = """
SELECT EXISTS (
  SELECT FROM pg_constraint WHERE conrelid = %(proven)s::regclass AND conname = %(below)s AND convalidated
     AND pg_get_constraintdef(oid) = %(definition)s)
"""

KEYS = """
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE conrelid = %(table)s::regclass AND contype IN ('p', 'u')
"""
# Those of `undoes`: unique, and of this very table.
OF_ONE_TABLE = """
SELECT conname FROM pg_constraint
 WHERE conrelid = %(table)s::regclass AND conkey = ARRAY[
   (SELECT attnum FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attname = 'undoes_id')]
"""
INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
 WHERE indrelid = %(table)s::regclass
   AND indisvalid AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = indrelid AND conindid = indexrelid)
"""
TRIGGERS = """
SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = %(table)s::regclass AND NOT tgisinternal
"""
REFERENCES = """
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE conrelid = %(table)s::regclass AND contype = 'f'
"""
REFERENCES_TO = """
SELECT conname, pg_get_constraintdef(oid), conrelid::regclass::text, convalidated FROM pg_constraint
 WHERE confrelid = %(table)s::regclass AND contype = 'f' AND confrelid <> conrelid AND conparentid = 0
 ORDER BY 3
"""
PRIVILEGES = """
SELECT format('GRANT %%s%%s ON %%s %%s TO %%s%%s', given.privilege_type, given.of_column,
              CASE WHEN given.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, given.name,
              CASE WHEN given.grantee = 0 THEN 'PUBLIC' ELSE given.grantee::regrole::text END,
              CASE WHEN given.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM (
    SELECT relkind, oid::regclass AS name, '' AS of_column, (aclexplode(relacl)).* FROM pg_class
     WHERE oid IN (%(table)s::regclass, pg_get_serial_sequence(%(table)s, 'id')::regclass)
    UNION ALL
    SELECT 'r', attrelid::regclass, format(' (%%I)', attname), (aclexplode(attacl)).* FROM pg_attribute
     WHERE attrelid = %(table)s::regclass
  ) given
"""
OWNER = "SELECT relowner::regrole::text FROM pg_class WHERE oid = %(table)s::regclass"

# These would go on with the first part alone, and nobody would notice.
FOLLOWERS = """
SELECT string_agg(name, ', ' ORDER BY name) FROM (
  SELECT DISTINCT 'the view ' || ev_class::regclass AS name FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = objid
   WHERE classid = 'pg_rewrite'::regclass AND refobjid = %(table)s::regclass
  UNION ALL
  SELECT 'the publication ' || pubname FROM pg_publication_rel JOIN pg_publication ON pg_publication.oid = prpubid
   WHERE prrelid = %(table)s::regclass
) followers
"""
IN_THE_WAY = """
SELECT string_agg(format('%%s (%%s, since %%s)', pid, coalesce(nullif(application_name, ''), usename, backend_type),
                         to_char(xact_start, 'HH24:MI:SS')), ', ')
  FROM pg_stat_activity
 WHERE pid <> pg_backend_pid() AND pid IN (
   SELECT pid FROM pg_locks
    WHERE granted AND relation = ANY(%(tables)s::regclass[])
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
