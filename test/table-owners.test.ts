import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'

/** The folder that writes to each table. */
const owners: Readonly<Record<string, string>> = {
  access_token_lives: 'tokens',
  api_keys: 'tokens',
  audit_events: 'audit',
  client_assertions: 'clients',
  client_secrets: 'clients',
  clients: 'clients',
  deleted_clients: 'clients',
  deleted_users: 'users',
  janitor_runs: 'janitor',
  one_time_tokens: 'tokens',
  outgoing_mail: 'mail',
  refresh_families: 'sessions',
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

test('x', async (t) => {
  console.log((await foreignAccesses()).join('\n'))
  t.pass()
})
