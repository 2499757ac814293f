import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'

/** The folder that writes to each table. */
const owners: Readonly<Record<string, string>> = {
  access_token_lives: 'tokens',
  api_keys: 'tokens',
  audit_events: 'audit',
  authorization_codes: 'sessions',
  browser_sessions: 'sessions',
  client_assertions: 'clients',
  client_secrets: 'clients',
  clients: 'clients',
  consents: 'consents',
  deleted_clients: 'clients',
  deleted_users: 'users',
  janitor_runs: 'janitor',
  logout_deliveries: 'backchannel',
  one_time_tokens: 'tokens',
  outgoing_mail: 'mail',
  refresh_families: 'sessions',
  refusals: 'audit',
  revocations: 'revocations',
  sealed_secrets: 'keyring',
  signing_keys: 'keyring',
  throttle: 'throttle',
  unanswered_rotations: 'sessions',
  users: 'users',
}

type Access = 'reads' | 'locks' | 'writes'

const tables = Object.keys(owners).join('|')
const inSql = new RegExp(
  `\\b(INSERT INTO|UPDATE|DELETE FROM|LOCK TABLE|FROM|JOIN)\\s+((?:${tables})\\b(?:\\s*,\\s*(?:${tables})\\b)*)`,
  'g',
)
const inKnex = new RegExp(`(?:\\b(?:db|trx|from|join|rowsOf)|>)\\s*\\(\\s*'(${tables})'`, 'g')
const inRule = new RegExp(`\\btable: '(${tables})'`, 'g')

const withoutComments = (source: string): string =>
  source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')

/** Every access of one file, as `reads users`. */
function accesses(source: string): string[] {
  const found = new Set<string>()
  const note = (access: Access, table: string) => found.add(`${access} ${table}`)
  const code = withoutComments(source)
  for (const [sql] of code.matchAll(/`[^`]*`|'[^'\n]*'/g)) {
    const locks = /\bFOR (NO KEY UPDATE|UPDATE|SHARE|KEY SHARE)\b/.test(sql)
    for (const [, verb = '', list = ''] of sql.matchAll(inSql)) {
      const isRead = verb === 'FROM' || verb === 'JOIN'
      for (const table of list.split(/\s*,\s*/)) {
        if (isRead) note(locks ? 'locks' : 'reads', table)
        else note(verb === 'LOCK TABLE' ? 'locks' : 'writes', table)
      }
    }
  }
  for (const match of code.matchAll(inKnex)) {
    const chain =
      code.slice(match.index + 1).split(/\n\n|\b(?:db|trx)(?:<\w+>)?\('|\n {0,4}\w+ /)[0] ?? ''
    const writes = /\.(insert|update|delete|merge)\(/.test(chain)
    const locks = /\.for(Update|NoKeyUpdate|Share|KeyShare)\(/.test(chain)
    note(writes ? 'writes' : locks ? 'locks' : 'reads', match[1] ?? '')
  }
  for (const [, table = ''] of code.matchAll(inRule)) note('writes', table)
  return [...found]
}

async function foreignAccesses(): Promise<string[]> {
  const files = (await readdir('src', { recursive: true })).filter((file) => file.endsWith('.ts'))
  const found = await Promise.all(
    files.map(async (file) => {
      const [folder = ''] = file.split('/')
      const all = accesses(await readFile(join('src', file), 'utf8'))
      return all
        .filter((access) => owners[access.split(' ')[1] ?? ''] !== folder)
        .map((access) => `${folder}: ${access}`)
    }),
  )
  return [...new Set(found.flat())].sort()
}

/**
 * Folders that touch a table of another one, and why. Below users/ and clients/, a folder cannot call
 * them: the import rule forbids it.
 */
const exceptions: Readonly<Record<string, string>> = {
  'backchannel: reads clients': 'a notification is written only for a client that wants it',
  'cli: reads access_token_lives': 'the doctor compares the lifetimes of instances',
  'cli: reads clients': 'a restored database is counted',
  'cli: reads refresh_families': 'a restored database is counted',
  'cli: reads users': 'a restored database is counted',
  'consents: reads clients': 'the janitor looks for consents for deleted clients; the list of apps',
  'consents: reads users': 'the janitor looks for consents of deleted people',
  'mail: reads users':
    'a mail is written in the language of its person; a reminder is one statement for every account',
  'revocations: reads access_token_lives':
    'an entry is kept as long as the longest token, in its INSERT',
  'sessions: locks clients': 'a sign-in locks its client before it inserts, in one statement',
  'sessions: locks users': 'a sign-in locks its person before it inserts, in one statement',
  'sessions: reads audit_events': 'a first sign-in is not mailed, in the statement that begins it',
  'sessions: reads clients': 'a rotation checks that its client is enabled, in one statement',
  'sessions: reads consents':
    'a code begins a session only while its consent stands, which is locked, in one statement',
  'sessions: reads deleted_clients': 'the janitor looks for sessions of deleted clients',
  'sessions: reads users': 'a rotation checks that its person is enabled, in one statement',
  'sessions: writes audit_events':
    'a sign-in and a recovered rotation record their event in one statement',
  'sessions: writes outgoing_mail':
    'the mail about a new device is part of the statement that begins the session',
  'sessions: writes users': 'mails about new devices are counted in the locked row of the person',
  'sessions: writes deleted_clients': 'the row goes with the last session of a deleted client',
  'tokens: locks browser_sessions':
    'a new API key locks the browser of its request, which may sign out meanwhile',
  'tokens: locks clients': 'a new API key locks its client, which may be disabled meanwhile',
  'tokens: locks refresh_families': 'a new API key locks its session, which may end meanwhile',
  'tokens: locks users': 'a new API key, or the token of a mail, locks its person',
  'tokens: reads clients': 'an API key is valid while its client is enabled',
  'tokens: reads outgoing_mail': 'the link of an older mail must not replace that of a newer one',
  'tokens: reads users': 'an API key is valid while its person is enabled; links check the address',
  'users: reads api_keys': 'the export of personal data',
  'users: reads audit_events': 'the export of personal data',
  'users: reads browser_sessions': 'the export of personal data',
  'users: reads consents': 'the export of personal data',
  'users: reads one_time_tokens': 'the export of personal data',
  'users: reads outgoing_mail': 'the export of personal data',
  'users: reads refresh_families': 'the export of personal data',
}

test('every table of the migrations has an owner', async (t) => {
  const files = await readdir('migrations')
  const sources = await Promise.all(files.map((file) => readFile(join('migrations', file), 'utf8')))
  const created = sources.flatMap((source) =>
    [...source.matchAll(/CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+)/g)].map(
      ([, name]) => name,
    ),
  )
  t.deepEqual([...new Set(created)].sort(), Object.keys(owners).sort())
})

test('a table is written, read and locked by its owner; the list has every exception', async (t) => {
  t.deepEqual(await foreignAccesses(), Object.keys(exceptions).sort())
})

test('the scanner finds reads, locks and writes, in SQL and in knex', (t) => {
  const found = (source: string) => accesses(source).sort()
  t.deepEqual(found('await trx(`users`); db.raw(`SELECT 1 FROM users, clients WHERE true`)'), [
    'reads clients',
    'reads users',
  ])
  t.deepEqual(found('db.raw(`SELECT 1 FROM users FOR NO KEY UPDATE`)'), ['locks users'])
  t.deepEqual(found('db.raw(`WITH a AS (DELETE FROM users) INSERT INTO clients SELECT 1`)'), [
    'writes clients',
    'writes users',
  ])
  t.deepEqual(
    found("const row = await trx('users')\n  .where({ id })\n  .forUpdate()\n  .first()"),
    ['locks users'],
  )
  t.deepEqual(found("await this.#db('users').where({ id }).delete()\n"), ['writes users'])
  t.deepEqual(found("// db('users').delete()\n/* FROM users */ db<Row>('clients').first()"), [
    'reads clients',
  ])
  t.deepEqual(found("const rows = { table: 'users', columns: ['at'] }"), ['writes users'])
})
