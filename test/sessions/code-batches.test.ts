import { randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import { v7 as uuidv7 } from 'uuid'
import {
  CodeRedemptions,
  type RedeemedRow,
  type Redemption,
} from '../../src/sessions/code-redemptions.ts'
import { CodeWrites, type NewCode } from '../../src/sessions/code-writes.ts'
import { openPostgres } from '../../src/stores/postgres.ts'
import { Statements } from '../../src/stores/statements.ts'
import { eventually } from '../../tools/eventually.ts'
import { copyTemplate } from '../support/server/start-server.ts'

const day = 86_400_000
const redirectUri = 'https://web.example/callback'

/** An instance, and people who are signed in with a browser each. */
async function prepare(t: ExecutionContext, people: number) {
  const postgres = openPostgres({ url: await copyTemplate(t), poolSize: 4, timeoutSeconds: 20 })
  t.teardown(postgres.close)
  const { db } = postgres
  const statements = new Statements({ ...postgres, prepared: true })
  const asked: number[] = []
  const run: Statements['run'] = (statement, values) => {
    asked.push((values[0] as unknown[]).length)
    return statements.run(statement, values)
  }
  await db('clients').where({ id: 'app' }).update({ first_party: true, consent: 'skip' })
  await db.raw(
    `INSERT INTO users (id, username, password_hash, password_changed_at, roles, created_at)
     SELECT gen_random_uuid(), 'person-' || n, password_hash, password_changed_at, roles, created_at
       FROM users, generate_series(1, ?) AS n WHERE username = 'ada'`,
    [people],
  )
  const users: string[] = await db('users').where('username', 'like', 'person-%').pluck('id')
  const now = new Date()
  const browsers = users.map((user_id) => ({
    ...{
      id: uuidv7(),
      user_id,
      created_at: now,
      auth_time: now,
      amr: ['pwd'],
      acr: 'urn:one',
      remembered: false,
    },
    idle_expires_at: new Date(now.getTime() + day),
    expires_at: new Date(now.getTime() + 30 * day),
  }))
  await db('browser_sessions').insert(browsers)
  const codeOf = (at: number, different: Partial<NewCode> = {}): NewCode => ({
    browserSessionId: browsers[at]?.id ?? '',
    clientId: 'app',
    redirectUri,
    codeChallenge: 'challenge',
    nonce: `nonce-${at}`,
    scope: ['openid', 'read'],
    audience: [],
    claims: { id_token: [`claim, "${at}"`] },
    hasRefreshToken: true,
    outlivesBrowser: false,
    answers: undefined,
    ...different,
  })
  const redemptionOf = (sid: string, different: Partial<Redemption> = {}): Redemption => ({
    ...{ sid, clientId: 'app', redirectUri, codeChallenge: 'challenge', at: now },
    seedDigest: randomBytes(32),
    idleExpiresAt: new Date(now.getTime() + day),
    expiresAt: new Date(now.getTime() + 2 * day),
    ...{ ip: '192.0.2.1', userAgent: undefined },
    ...different,
  })
  const writes = new CodeWrites({ run } as Statements, () => now)
  const redemptions = new CodeRedemptions({ run } as Statements, 80)
  const written = async (at: number) => (await writes.write(codeOf(at))) ?? ''
  return { db, users, browsers, asked, writes, redemptions, codeOf, redemptionOf, written, now }
}

/** One of `count` comes alone, and the others meanwhile. */
const alike = <T>(count: number, start: (at: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, at) => start(at)))

test('codes that are written together are one statement, and each gets its own row', async (t) => {
  const { db, browsers, users, writes, codeOf, asked, now } = await prepare(t, 12)
  await db('browser_sessions')
    .where({ id: browsers[2]?.id })
    .update({ revoked_at: now, revoked_reason: 'signed_out' })
  await db('users').where({ id: users[3] }).update({ disabled_at: now })
  const different: Partial<NewCode>[] = [
    {},
    { scope: [], audience: ['https://a.example', 'https://b.example'], claims: undefined },
    {},
    {},
    { clientId: 'nobody' },
  ]
  const sids = await alike(12, (at) => writes.write(codeOf(at, different[at])))
  t.deepEqual(asked, [1, 11])
  t.deepEqual(
    sids.flatMap((sid, at) => (sid === undefined ? [at] : [])),
    [2, 3, 4],
  )
  const rows = await db('authorization_codes').orderBy('nonce')
  const bySid = new Map(rows.map((row) => [row.sid, row]))
  for (const [at, sid] of sids.entries()) {
    if (sid === undefined) continue
    t.like(bySid.get(sid), {
      ...{ user_id: users[at], browser_session_id: browsers[at]?.id, nonce: `nonce-${at}` },
      scope: at === 1 ? [] : ['openid', 'read'],
      audience: at === 1 ? ['https://a.example', 'https://b.example'] : [],
      claims: at === 1 ? null : { id_token: [`claim, "${at}"`] },
    })
  }
})

test('a code that cannot be written fails only its own caller', async (t) => {
  const { writes, codeOf } = await prepare(t, 6)
  const outcomes = await alike(6, (at) =>
    writes.write(codeOf(at, at === 3 ? { nonce: 'a\u0000b' } : {})).catch((error) => error.code),
  )
  t.is(outcomes[3], '22021')
  t.is(new Set(outcomes).size, 6)
})

test('codes that are redeemed together are one statement, and each gets its own session', async (t) => {
  const { db, users, redemptions, redemptionOf, written, asked } = await prepare(t, 10)
  const sids = await alike(10, written)
  asked.length = 0
  const rows = await alike(10, (at) => redemptions.redeem(redemptionOf(sids[at] ?? '')))
  t.deepEqual(asked, [1, 9])
  t.deepEqual(
    rows.map((row) => row?.sid),
    sids,
  )
  t.deepEqual(
    rows.map((row) => row?.nonce),
    sids.map((_, at) => `nonce-${at}`),
  )
  t.deepEqual(await db('authorization_codes'), [])
  const families = await db('refresh_families').whereIn('sid', sids).orderBy('sid')
  t.is(families.length, 10)
  t.deepEqual(new Set(families.map(({ user_id }) => user_id)), new Set(users))
  const { count } = await db('audit_events')
    .where({ event: 'session.begun' })
    .count()
    .first()
    .then((one) => one as { count: string })
  t.is(Number(count), 10)
})

test('a redemption in a batch does what a redemption alone does', async (t) => {
  const { db, redemptions, redemptionOf, written } = await prepare(t, 3)
  const sids = await alike(3, written)
  const seedDigest = randomBytes(32)
  const rows = await alike(3, (at) =>
    redemptions.redeem(redemptionOf(sids[at] ?? '', { seedDigest, userAgent: 'browser' })),
  )
  const own = ['sid', 'user_id', 'browser_session_id', 'place', 'nonce', 'claims']
  const shared = (row: object | undefined) =>
    Object.fromEntries(Object.entries(row ?? {}).filter(([name]) => !own.includes(name)))
  const stored = await db('refresh_families').whereIn('sid', sids).orderBy('sid')
  for (const at of [1, 2]) {
    t.deepEqual(shared(rows[at]), shared(rows[0]))
    t.deepEqual(shared(stored[at]), shared(stored[0]))
  }
})

test('a code that is not right, or not there, in a batch → spent or refused as it is alone', async (t) => {
  const { db, users, browsers, now, ...rest } = await prepare(t, 10)
  const { redemptions, redemptionOf, written } = rest
  const sids = await alike(10, written)
  await db('users')
    .where({ id: users[4] })
    .update({ password_changed_at: new Date(1e12) })
  await db('browser_sessions')
    .where({ id: browsers[5]?.id })
    .update({ revoked_at: now, revoked_reason: 'signed_out' })
  const different: Partial<Redemption>[] = [
    {},
    { redirectUri: undefined },
    { codeChallenge: undefined },
    { at: new Date(now.getTime() + 61_000) },
    {},
    {},
    { clientId: 'other' },
    { sid: uuidv7() },
  ]
  const rows = await alike(10, (at) =>
    redemptions.redeem(redemptionOf(sids[at] ?? '', different[at])),
  )
  const outcome = (row: RedeemedRow | undefined) =>
    row === undefined ? 'unknown' : row.sid === null ? 'spent' : 'begun'
  t.deepEqual(rows.map(outcome), [
    'begun',
    ...['spent', 'spent', 'spent', 'spent', 'spent'],
    ...['unknown', 'unknown'],
    ...['begun', 'begun'],
  ])
  // Another client spends nothing.
  t.deepEqual(await db('authorization_codes').pluck('sid'), [sids[6], sids[7]].sort())
})

test('a person, a client, a browser or a consent that is not right any more → no session', async (t) => {
  const { db, users, browsers, now, ...rest } = await prepare(t, 6)
  const { redemptions, redemptionOf, written } = rest
  const sids = await alike(6, written)
  await db('users').where({ id: users[1] }).update({ disabled_at: now })
  await db('browser_sessions').where({ id: browsers[2]?.id }).update({ expires_at: now })
  const redeem = (...places: number[]) =>
    Promise.all(places.map((at) => redemptions.redeem(redemptionOf(sids[at] ?? ''))))
  const begun = (rows: (RedeemedRow | undefined)[]) => rows.map((row) => row?.sid ?? null)
  t.deepEqual(begun(await redeem(0, 1, 2)), [sids[0] ?? '', null, null])

  await db('clients').where({ id: 'app' }).update({ consent: 'remember' })
  const { created_at } = await db('clients').where({ id: 'app' }).first('created_at')
  const consent = (at: number, scopes: string[], granted_at: Date) =>
    db('consents').insert({ user_id: users[at], client_id: 'app', scopes, granted_at })
  await consent(3, ['openid'], now)
  await consent(4, ['openid', 'read'], new Date(created_at.getTime() - 1000))
  t.deepEqual(begun(await redeem(3, 4)), [null, null])

  await db('clients').where({ id: 'app' }).update({ consent: 'skip', disabled_at: now })
  t.deepEqual(begun(await redeem(5)), [null])
})

test('RFC 6749 §4.1.2: a code presented five times in one batch → one begins the session', async (t) => {
  const { redemptions, redemptionOf, written } = await prepare(t, 2)
  const sids = await alike(2, written)
  const rows = await Promise.all([
    redemptions.redeem(redemptionOf(sids[1] ?? '')),
    ...(await alike(5, async () => redemptionOf(sids[0] ?? ''))).map((one) =>
      redemptions.redeem(one),
    ),
  ])
  t.is(rows[0]?.sid, sids[1])
  t.is(rows.slice(1).filter((row) => row?.sid === sids[0]).length, 1)
  t.is(rows.slice(1).filter((row) => row === undefined).length, 4)
})

test('ASVS 7.1.2: codes of one person in one batch → one begins there, the others alone', async (t) => {
  const { redemptions, redemptionOf, writes, codeOf, asked, db } = await prepare(t, 1)
  const sids = await alike(6, () => writes.write(codeOf(0)))
  asked.length = 0
  const rows = await alike(6, (at) => redemptions.redeem(redemptionOf(sids[at] ?? '')))
  t.deepEqual(asked, [1, 5, 1, 1, 1, 1])
  t.deepEqual(
    rows.map((row) => row?.sid),
    sids,
  )
  t.is((await db('refresh_families').whereIn('sid', sids as string[])).length, 6)
})

test('a code whose person is locked delays no other in its batch', async (t) => {
  const { db, browsers, redemptions, redemptionOf, written } = await prepare(t, 4)
  const sids = await alike(4, written)
  const locked = await db.transaction()
  await locked('users').where({ id: browsers[2]?.user_id }).forUpdate()
  const waiting = redemptions
    .redeem(redemptionOf(sids[0] ?? ''))
    .then(() =>
      Promise.all([1, 2, 3].map((at) => redemptions.redeem(redemptionOf(sids[at] ?? '')))),
    )
  const others = Promise.all([1, 3].map((at) => familyOf(db, sids[at] ?? '')))
  t.deepEqual(
    (await others).map(({ sid }) => sid),
    [sids[1], sids[3]],
  )
  await locked.commit()
  t.deepEqual(
    (await waiting).map((row) => row?.sid),
    sids.slice(1),
  )
})

/** The session of a code, once it has begun. */
async function familyOf(db: Knex, sid: string): Promise<{ sid: string }> {
  let row: { sid: string } | undefined
  await eventually(async () => {
    row = await db('refresh_families').where({ sid }).first('sid')
    return row !== undefined
  }, 'the session begins')
  return row as { sid: string }
}
