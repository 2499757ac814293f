import pg from 'pg'

/**
 * Where oidc-provider keeps its state. Its own adapter for memory forgets all but the last thousand
 * entries, so this one stands in for it and is as quick; nothing expires within a bench.
 */
export function memoryAdapter() {
  const entries = new Map()
  return class {
    constructor(type) {
      this.key = (id) => `${type}:${id}`
    }
    async upsert(id, payload) {
      entries.set(this.key(id), payload)
    }
    async find(id) {
      return entries.get(this.key(id))
    }
    async findByUid(uid) {
      return [...entries.values()].find((payload) => payload.uid === uid)
    }
    async consume(id) {
      entries.get(this.key(id)).consumed = Math.floor(Date.now() / 1000)
    }
    async destroy(id) {
      entries.delete(this.key(id))
    }
    async revokeByGrantId(grantId) {
      for (const [key, payload] of entries) if (payload.grantId === grantId) entries.delete(key)
    }
  }
}

const schema = `
  CREATE TABLE oidc_payloads (
    type        text NOT NULL,
    id          text NOT NULL,
    payload     jsonb NOT NULL,
    grant_id    text,
    uid         text,
    expires_at  timestamptz,
    consumed_at timestamptz,
    PRIMARY KEY (type, id)
  );
  CREATE INDEX oidc_payloads_grant_id ON oidc_payloads (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX oidc_payloads_uid ON oidc_payloads (uid) WHERE uid IS NOT NULL;
  CREATE INDEX oidc_payloads_expires_at ON oidc_payloads (expires_at)`

/** As the examples of oidc-provider do it: one table, the payload as JSON, an upsert. */
export async function postgresAdapter(databaseUrl) {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
  await pool.query(schema)
  return class {
    constructor(type) {
      this.type = type
    }
    async upsert(id, payload, expiresIn) {
      await pool.query(
        `INSERT INTO oidc_payloads (type, id, payload, grant_id, uid, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (type, id) DO UPDATE SET payload = excluded.payload,
           grant_id = excluded.grant_id, uid = excluded.uid, expires_at = excluded.expires_at`,
        [
          ...[this.type, id, payload, payload.grantId ?? null, payload.uid ?? null],
          expiresIn ? new Date(Date.now() + expiresIn * 1000) : null,
        ],
      )
    }
    find(id) {
      return this.#first('id = $2', id)
    }
    findByUid(uid) {
      return this.#first('uid = $2', uid)
    }
    async consume(id) {
      await pool.query('UPDATE oidc_payloads SET consumed_at = now() WHERE type = $1 AND id = $2', [
        this.type,
        id,
      ])
    }
    async destroy(id) {
      await pool.query('DELETE FROM oidc_payloads WHERE type = $1 AND id = $2', [this.type, id])
    }
    async revokeByGrantId(grantId) {
      await pool.query('DELETE FROM oidc_payloads WHERE type = $1 AND grant_id = $2', [
        this.type,
        grantId,
      ])
    }
    async #first(condition, value) {
      const { rows } = await pool.query(
        `SELECT payload, extract(epoch FROM consumed_at)::bigint::int AS consumed FROM oidc_payloads
          WHERE type = $1 AND ${condition} AND (expires_at IS NULL OR expires_at > now())`,
        [this.type, value],
      )
      const [row] = rows
      return row && { ...row.payload, ...(row.consumed && { consumed: row.consumed }) }
    }
  }
}
