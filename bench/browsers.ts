import { masterKeysFrom } from '../src/keyring/master-keys.ts'
import { sealedSecret } from '../src/keyring/sealing.ts'
import { BrowserSessionCodec } from '../src/sessions/browser-session.ts'
import { openPostgres } from '../src/stores/postgres.ts'
import { masterKeyText } from '../tools/fixtures.ts'
import type { Installation } from './signet.ts'

/** Browser sessions as sign-ins on the page begin them, one for each person. */
const plant = `
  INSERT INTO browser_sessions (id, user_id, created_at, auth_time, amr, acr, remembered,
                                idle_expires_at, expires_at, ip, user_agent)
  SELECT gen_random_uuid(), id, now(), now(), '{pwd}', 'urn:signet:acr:one', true,
         now() + interval '7 days', now() + interval '30 days', '192.0.2.1',
         'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
    FROM users ORDER BY username LIMIT ?
  RETURNING id, version`

/** Cookies of so many browsers in which people are signed in. */
export async function browserCookies(
  { databaseUrl }: Installation,
  count: number,
): Promise<string[]> {
  const { db, close } = openPostgres({ url: databaseUrl, poolSize: 2, timeoutSeconds: 60 })
  try {
    const masterKeys = masterKeysFrom([masterKeyText])
    const secret = await sealedSecret(db, masterKeys, 'browser sign-in', new Date())
    const codec = new BrowserSessionCodec(secret)
    const { rows } = await db.raw<{ rows: { id: string; version: number }[] }>(plant, [count])
    await db.raw('VACUUM ANALYZE browser_sessions')
    return rows.map((row) => codec.encode(row))
  } finally {
    await close()
  }
}
