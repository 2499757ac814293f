import test from 'ava'
import { addPerson } from '../../support/people/account-api.ts'
import { openAccount, textOf, waysOn } from '../../support/people/account-browser.ts'

const path = '/account/activity'

test('a person opens their activity → their own events in words, newest first', async (t) => {
  const { server, browser } = await openAccount(t)
  const mary = await addPerson(server, 'mary')
  await server.services.audit.record({ event: 'user.exported', userId: mary.id })
  const page = await browser.visit(path)
  t.regex(textOf(page), /Signed in .*UTC.* 127\.0\.0\.1 .*Account created/)
  t.notRegex(textOf(page), /Data downloaded/)
  t.regex(page.html, /<time datetime="\d{4}-/)
})

test('an event of a later release → its name, and no error', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  for (const event of ['user.teleported', 'constructor', '<script>alert(1)</script>']) {
    await server.db('audit_events').insert({ at: new Date(), event, user_id: userId, detail: '{}' })
  }
  const page = await browser.visit(path)
  t.is(page.status, 200)
  t.regex(textOf(page), /Other event \(user\.teleported\)/)
  t.false(page.html.includes('<script>alert'))
})

test('60 events → pages of 25 by the key of the last, without a gap', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  await server.db('audit_events').where({ user_id: userId }).delete()
  await server.db.raw(
    `INSERT INTO audit_events (at, event, user_id, ip, detail)
     SELECT now(), 'user.exported', ?, ('10.0.0.' || i)::inet, '{}' FROM generate_series(1, 60) AS i`,
    [userId],
  )
  const seen: string[] = []
  let next: string | undefined = path
  let pages = 0
  while (next !== undefined) {
    const page = await browser.visit(next)
    seen.push(...[...page.html.matchAll(/10\.0\.0\.(\d+)/g)].map(([, number = '']) => number))
    next = waysOn(page).find((way) => way.startsWith(`${path}?before=`))
    pages += 1
    if (pages > 1) t.true(waysOn(page).includes(path), 'a way back to the newest')
  }
  t.is(pages, 3)
  t.deepEqual(
    seen,
    Array.from({ length: 60 }, (_, at) => String(60 - at)),
  )
})

test('a key that is no number → the first page', async (t) => {
  const { browser } = await openAccount(t)
  for (const before of ['x', '-1', '9'.repeat(40), "1' OR 1=1", '']) {
    const page = await browser.visit(`${path}?${new URLSearchParams({ before })}`)
    t.is(page.status, 200)
    t.regex(textOf(page), /Signed in/)
  }
})
