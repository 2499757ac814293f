import pg from 'pg'
import { masterKeysFrom } from '../src/keyring/master-keys.ts'
import { sealedSecret } from '../src/keyring/sealing.ts'
import { RefreshTokenCodec } from '../src/sessions/refresh-token.ts'
import { openPostgres } from '../src/stores/postgres.ts'
import { masterKeyText } from '../tools/fixtures.ts'
import { audience, type Installation } from './signet.ts'

/**
 * Sessions are made in SQL, thousands at once, as sign-ins would have made them day by day: ids in the
 * order of time, spread over all people. The seed of each follows from its id, so that tokens can be
 * computed for any of them.
 */
const plant = `
  WITH people AS (SELECT id, row_number() OVER () - 1 AS number FROM users),
  begun AS (
    SELECT n, now() - $4::interval - $5::interval * (1 - n::float / $1::int) AS at
      FROM generate_series(1, $1::int) AS n
  ),
  named AS (
    SELECT at, people.id AS user_id,
           encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
             substring(int8send(floor(extract(epoch FROM at) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
             52, 1), 53, 1), 'hex')::uuid AS sid
      FROM begun JOIN people ON people.number = n % (SELECT count(*) FROM users)
     ORDER BY n
  )
  INSERT INTO refresh_families (sid, user_id, client_id, scope, audience, seed_digest, auth_time, amr,
                                idle_expires_at, expires_at, ip, user_agent)
  SELECT sid, user_id, 'app', '{read,write,offline_access}', ARRAY[$3],
         sha256(decode(md5(sid::text), 'hex')), at, '{pwd}',
         now() - $2::interval + interval '7 days', now() - $2::interval + interval '30 days',
         '192.0.2.1', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
    FROM named`

/** Rows per statement. */
const most = 250_000

/** @param daysAgo how long ago the newest of them began: after 30 days all have expired */
export async function plantSessions(
  { databaseUrl }: Installation,
  count: number,
  { daysAgo = 0, say = (_line: string) => {} } = {},
): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    for (let planted = 0; planted < count; planted += most) {
      const some = Math.min(most, count - planted)
      const newest = daysAgo + (6 * (count - planted - some)) / count
      const ages = [daysAgo, newest, (6 * some) / count].map((days) => `${days} days`)
      const [ago, ...window] = ages
      await client.query(plant, [some, ago, audience, ...window])
      if (count > most) say(`${planted + some} of ${count} sessions are planted`)
    }
    await client.query('VACUUM ANALYZE refresh_families')
    await client.query('VACUUM ANALYZE users')
  } finally {
    await client.end()
  }
}

/** Refresh tokens of so many sessions, from all over the table. */
export async function refreshTokens(
  { databaseUrl }: Installation,
  count: number,
): Promise<string[]> {
  const { db, close } = openPostgres({ url: databaseUrl, poolSize: 2, timeoutSeconds: 60 })
  try {
    const masterKeys = masterKeysFrom([masterKeyText])
    const secret = await sealedSecret(db, masterKeys, 'refresh tokens', new Date())
    const codec = new RefreshTokenCodec(secret)
    const { rows } = await db.raw<{ rows: { sid: string; generation: number; seed: Buffer }[] }>(
      `SELECT sid, generation, decode(md5(sid::text), 'hex') AS seed FROM refresh_families
        WHERE revoked_at IS NULL AND seed_digest = sha256(decode(md5(sid::text), 'hex'))
          AND idle_expires_at > now() + interval '1 day'
        ORDER BY random() LIMIT ?`,
      [count],
    )
    return rows.map((row) => codec.encode(row))
  } finally {
    await close()
  }
}
