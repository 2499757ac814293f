import { readFile } from 'node:fs/promises'
import test from 'ava'
import type { Knex } from 'knex'
import { ada } from '../../tools/fixtures.ts'
import { claimsOf, finish, startWebApp } from '../support/clients/web-app.ts'
import { FlowBrowser } from '../support/http/flow-browser.ts'

/** Notes every row that a transaction writes; refusals are written later, in the background. */
const recording = `
  CREATE TABLE written (operation text NOT NULL, name text NOT NULL);
  CREATE FUNCTION note_row() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO written VALUES (TG_OP, TG_TABLE_NAME); RETURN NULL; END $$;
  DO $$
    DECLARE name text;
    BEGIN
      FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('written', 'refusals') LOOP
        EXECUTE format('CREATE TRIGGER note_row AFTER INSERT OR UPDATE OR DELETE ON %I
                        FOR EACH ROW EXECUTE FUNCTION note_row()', name);
      END LOOP;
    END $$`

const operations = ['INSERT', 'UPDATE', 'DELETE']

/** The cells of a request in the table of the page. */
async function cellsOf(db: Knex): Promise<string[]> {
  const { rows } = await db.raw<{ rows: { operation: string; name: string; count: string }[] }>(
    'SELECT operation, name, count(*) FROM written GROUP BY 1, 2 ORDER BY 2',
  )
  return operations.map((operation) =>
    rows
      .filter((row) => row.operation === operation)
      .map(({ name, count }) => `${count} \`${name}\``)
      .join(', '),
  )
}

/** The table of docs/performance.md: the cells of each request. */
async function documented(): Promise<string[][]> {
  const page = await readFile('docs/performance.md', 'utf8')
  const [, chapter = ''] = /^## Rows written$(.*?)^## /ms.exec(page) ?? []
  const lines = chapter.split('\n').filter((line) => line.startsWith('| '))
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

test('each request of a sign-in through the browser → the rows of the table in docs/performance.md', async (t) => {
  const { server, app, browser } = await startWebApp(t, {
    settings: { firstParty: true, consent: 'remember' },
  })
  const table: string[][] = []
  await server.db.raw(recording)
  const count = async <Result>(request: string, send: () => Promise<Result>): Promise<Result> => {
    await server.db.raw('TRUNCATE written')
    const result = await send()
    table.push([request, ...(await cellsOf(server.db))])
    return result
  }
  const scope = 'openid profile read offline_access'

  const page = await count('the sign-in page is shown', () =>
    browser.open(app.authorizeUrl({ scope })),
  )
  const wrong = { ...ada, password: 'not the password' }
  const refused = await count('a sign-in fails', () => browser.submit(page, wrong))
  t.is(refused.status, 422)
  const consent = await count(
    'a person signs in for the first time; the consent page is shown',
    () => browser.submit(refused, ada),
  )
  const allowed = await count('a person allows a client what it asks for', () =>
    finish(browser, consent),
  )
  t.regex(allowed.location, /[?&]code=/)
  const { location } = await count('authorize, signed in', () =>
    browser.open(app.authorizeUrl({ prompt: 'none', scope })),
  )
  const code = new URL(location).searchParams.get('code') ?? ''
  const { body } = await count('a code is redeemed', () => app.redeem(code))
  t.deepEqual(claimsOf(body.id_token).aud, 'web')
  const form = { grant_type: 'refresh_token', refresh_token: body.refresh_token }
  const refreshed = await count('a session is refreshed', () => app.post('/oauth/token', form))
  t.is(refreshed.status, 200)
  const info = await count('userinfo', () => app.userinfo(body.access_token))
  t.is(info.status, 200)

  const second = await browser.open(app.authorizeUrl({ prompt: 'none', scope }))
  await app.redeem(new URL(second.location).searchParams.get('code') ?? '')
  const leaving = await count('the page "Sign out?" is shown', () =>
    browser.open('/oauth/sign-out'),
  )
  await count('a person signs out, with 2 sessions of clients', () => browser.submit(leaving))
  t.deepEqual(await server.db('refresh_families').whereNull('revoked_at'), [])
  const again = await browser.open('/sign-in')
  await count('a person signs in on a known device', () => browser.submit(again, ada))
  await server.db('users').update({ email: 'ada@people.example', email_verified_at: new Date() })
  server.clock.advance({ hours: 2 })
  // Sending the mail writes rows as well, which belong to no request.
  await server.services.mailSender.stop(0)
  const elsewhere = new FlowBrowser(server.url)
  const fresh = await elsewhere.open('/sign-in')
  await count('a person signs in on a new device', () => elsewhere.submit(fresh, ada))
  t.deepEqual(table, await documented())
})
