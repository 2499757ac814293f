import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { masterKeyText, testEnvironment } from '../../../tools/fixtures.ts'
import { root } from '../../../tools/root.ts'
import { administer, databaseUrl } from '../../../tools/template.ts'
import { blocksOf, chapterOf } from '../../support/docs/documents.ts'
import { addPerson, goodPassword } from '../../support/people/account-api.ts'
import { named } from '../../support/people/administer-people.ts'
import { emptyFolder, program } from '../../support/server/signet.ts'
import { Clock, startServer } from '../../support/server/start-server.ts'
import { debianPostgres, stopDebianPostgres } from '../../support/stores/debian-postgres.ts'

test.after.always(stopDebianPostgres)

const documented = 'signet_restored'

/** The blocks of operations.md between its heading and the next, in bash, as they are pasted. */
async function pasted(chapter: string, section: string): Promise<string[]> {
  const page = await readFile(join(root, 'docs', 'operations.md'), 'utf8')
  const [, text = ''] = chapterOf(page, chapter).split(`### ${section}\n`)
  return blocksOf(text.split('\n### ')[0] ?? '', 'bash')
}

/** A shell of an operator, in whose folder the backup and the journal lie. */
async function shell(t: ExecutionContext<unknown>, programs: string) {
  const cwd = await emptyFolder(t)
  const bin = join(cwd, 'bin')
  await mkdir(bin)
  const npx = `#!/bin/sh\nshift\nexec '${process.execPath}' '${program}' "$@"\n`
  await writeFile(join(bin, 'npx'), npx, { mode: 0o755 })
  const PATH = `${bin}:${programs}:${process.env.PATH}`
  const paste = async (script: string, env: Record<string, string>) => {
    const all = { ...testEnvironment, MASTER_KEYS: masterKeyText, PATH, ...env }
    const args = ['-euo', 'pipefail', '-c', script]
    const { stdout } = await promisify(execFile)('bash', args, { cwd, env: all })
    return stdout
  }
  return { cwd, paste }
}

test('docs/operations.md: back up, restore and replay as pasted → what was ended since stays ended, the rest lives', async (t) => {
  const postgres = await debianPostgres()
  const { cwd, paste } = await shell(t, postgres.programs)
  // Events of the last minute are not in the journal yet.
  const clock = new Clock()
  clock.advance({ minutes: -10 })
  const database = await postgres.copyTemplate(t)
  const before = await startServer(t, { database, clock })
  for (const name of ['grace', 'joan', 'rosa']) await addPerson(before, name)
  const enter = async (username: string) => {
    const { body } = await before.signIn({ username, password: goodPassword })
    return body as { refresh_token: string }
  }
  const kept = await enter('grace')
  const ended = await enter('joan')
  const signing = (await before.services.signingKeys.all()).find((key) => key.signsUntil === null)
  const leaked = signing?.kid ?? ''

  const [create = ''] = await pasted('Backups', 'The database')
  t.regex(create, /^npx signet backup create signet-2026-12-01\.dump$/m)
  const made = await paste(create, { DATABASE_URL: database })
  t.regex(made, /It has 4 people, 2 clients and 2 sessions/)

  await before.services.rotation.revoke(leaked)
  await before.services.administration.delete((await named(before, 'rosa')).id)
  t.is((await before.revoke(ended.refresh_token)).status, 200)
  await before.services.users.create({ username: 'late', password: goodPassword })
  await paste('npx signet backup journal journal.jsonl', { DATABASE_URL: database })
  await before.stop()

  const [settings = '', restore = '', replay = '', afterwards = ''] = await pasted(
    'The database was restored from a backup',
    'Restoring, step by step',
  )
  const { hostname, port, username, password } = new URL(postgres.ownerUrl)
  const target = databaseUrl(postgres.ownerUrl, documented)
  const env: Record<string, string> = {
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: username,
    PGPASSWORD: decodeURIComponent(password),
    DATABASE_URL: target,
    BACKUP: 'signet-2026-12-01.dump',
    JOURNAL: 'journal.jsonl',
  }
  for (const [, name = '', value] of settings.matchAll(/([A-Z_]+)=(\S+)/g)) {
    t.true(name in env, name)
    if (name === 'BACKUP' || name === 'JOURNAL') t.is(value, env[name])
  }
  t.teardown(() => administer(postgres.url, `DROP DATABASE IF EXISTS ${documented} WITH (FORCE)`))
  const restored = await paste(restore, env)
  t.regex(restored, /ok +file +complete[\s\S]*ok +manifest +all of the backup is here/)
  const replayed = await paste(replay, env)
  t.regex(replayed, /To be repeated \(confirm with --yes\):[\s\S]*Repeated:/)
  for (const event of ['key.revoked', 'user.deleted', 'session.revoked']) {
    t.regex(replayed.split('Repeated:')[1] ?? '', new RegExp(` 1 +${event.replace('.', '\\.')}`))
  }

  const after = await startServer(t, { database: target })
  const keys = await after.services.signingKeys.all()
  t.truthy(keys.find(({ kid }) => kid === leaked)?.revokedAt, 'the leaked key stays revoked')
  t.is(await after.services.users.findAny('rosa'), undefined)
  t.is((await after.refresh(ended.refresh_token)).status, 400)
  t.is((await after.refresh(kept.refresh_token)).status, 200)
  await after.stop()

  const last = await paste(afterwards, env)
  t.regex(last, /Events appended to journal-2\.jsonl: \d+/)
  t.regex(last, /Wrote after-restore\.dump/)
  const text = await readFile(join(cwd, 'signet-2026-12-01.dump.json'), 'utf8')
  t.notRegex(text, /grace|joan|rosa|example/)
})
