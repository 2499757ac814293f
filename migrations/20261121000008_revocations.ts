import type { Knex } from 'knex'

/**
 * An append-only log. `seq` is assigned before the commit, so a reader that followed it could skip
 * a row that committed late. Readers follow `xid`, the transaction that wrote the row.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE revocations (
      seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      kind       text NOT NULL CHECK (kind IN ('jti', 'sid', 'client', 'kid')),
      value      text NOT NULL,
      revoked_at timestamptz NOT NULL,
      expires_at timestamptz NOT NULL,
      xid        xid8 NOT NULL DEFAULT pg_current_xact_id()
    );
    CREATE INDEX revocations_xid ON revocations (xid, seq);
    CREATE INDEX revocations_value ON revocations (value, kind);
    CREATE INDEX revocations_expires_at ON revocations (expires_at)`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE revocations')
}
