import test, { type ExecutionContext } from 'ava'
import pg from 'pg'
import { eventually } from '../../tools/eventually.ts'
import { production } from '../../tools/fixtures.ts'
import { HttpClient } from '../../tools/http-client.ts'
import { emptyFolder, serve, signet } from '../support/server/signet.ts'
import { copyTemplate } from '../support/server/start-server.ts'
import { wrongClock } from '../support/server/wrong-clock.ts'

/** A database, and real instances on it, each with a clock of its own. */
async function installation(t: ExecutionContext) {
  const url = await copyTemplate(t)
  const sql = new pg.Client({ connectionString: url })
  await sql.connect()
  t.teardown(() => sql.end())
  const read = async (text: string) => (await sql.query(`SELECT ${text} AS value`)).rows[0].value
  const cwd = await emptyFolder(t)
  const at = (difference: string) => ({
    cwd,
    env: {
      ...{ ...production(url), JANITOR_SECONDS: '1', KEYRING_REREAD_SECONDS: '1' },
      ...(difference && wrongClock(difference)),
    },
  })
  const start = async (difference: string) => {
    const serving = await serve(t, at(difference))
    return { ...serving, browser: new HttpClient(serving.url) }
  }
  return { start, at, read }
}

const issuedAt = (token: string): number =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).iat

const revocations = '(SELECT count(*)::int FROM revocations)'
const privateHalves = '(SELECT count(*)::int FROM signing_keys WHERE private_jwe IS NOT NULL)'
const sweeps = `(SELECT coalesce(max(ran_at), 'epoch') FROM janitor_runs)`

for (const difference of ['+1h', '-1h', '+40d']) {
  test(`an instance whose clock is off by ${difference} → deletes nothing, is not ready, issues good tokens`, async (t) => {
    const { start, read } = await installation(t)
    const { browser: right } = await start('')
    const { body: session } = await right.signIn()
    await right.revoke(session.refresh_token)
    const [live, halves] = [await read(revocations), await read(privateHalves)]
    t.true(live > 0 && halves > 0)

    const { browser: wrong, metricsUrl, stdout } = await start(difference)
    const ready = await wrong.get('/health/ready')
    t.is(ready.status, 503)
    t.regex(ready.body.checks.clock, /^differs from the clock of PostgreSQL by \d+ s: .*NTP/)
    t.is((await right.get('/health/ready')).status, 200)
    const metrics = (await new HttpClient(metricsUrl).get('/metrics')).text
    const [, offset = ''] = /^signet_clock_offset_seconds (\S+)/m.exec(metrics) ?? []
    t.true(difference.startsWith('-') ? Number(offset) < -3000 : Number(offset) > 3000, offset)

    const { body: fresh } = await wrong.clientCredentials()
    t.true(Math.abs(issuedAt(fresh.access_token) - Date.now() / 1000) < 60)
    t.true((await right.introspect(fresh.access_token)).body.active)
    const { body: other } = await right.clientCredentials()
    t.true((await wrong.introspect(other.access_token)).body.active)

    // The right one sweeps each second, and so would the wrong one.
    const before: Date = await read(sweeps)
    const swept = async () => (await read(sweeps)).getTime() > before.getTime() + 3000
    await eventually(swept, 'the janitor runs several times')
    t.is(await read(revocations), live)
    t.is(await read(privateHalves), halves)
    t.false((await wrong.introspect(session.access_token)).body.active)
    t.is(stdout().match(/differ by more than 10 s/g)?.length, 1, 'it is logged once')
  })
}

test('two tabs at instances whose clocks are 60 s apart → no session is lost', async (t) => {
  const { start, read } = await installation(t)
  const [ahead, behind] = [await start('+30s'), await start('-30s')]
  for (let round = 0; round < 6; round += 1) {
    const [one, two] =
      round % 2 === 0 ? [ahead.browser, behind.browser] : [behind.browser, ahead.browser]
    const { body } = await one.signIn()
    const first = await one.refresh(body.refresh_token)
    const second = await two.refresh(body.refresh_token)
    t.is(first.status, 200, first.text)
    t.is(second.status, 200, second.text)
    t.is(second.body.refresh_token, first.body.refresh_token)
    t.is((await two.refresh(second.body.refresh_token)).status, 200)
  }
  t.is(await read('(SELECT count(*)::int FROM refresh_families WHERE revoked_at IS NOT NULL)'), 0)
})

test('a command on a machine whose clock is an hour ahead → decides by PostgreSQL as well', async (t) => {
  const { at, read } = await installation(t)
  const { code, stderr } = await signet(['keys', 'rotate', '--now', '--yes'], at('+1h'))
  t.is(code, 0, stderr)
  const ahead = `(SELECT extract(epoch FROM max(published_at) - clock_timestamp())::float8 FROM signing_keys)`
  t.true((await read(ahead)) < 60)
  const { json } = await signet(['doctor', '--json'], at('+1h'))
  const clock = json().findings.find(({ check }: { check: string }) => check === 'clock')
  t.like(clock, { state: 'failed' })
  t.regex(clock.message, /3600\.\d s behind this one/)
})
