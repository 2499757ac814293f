import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Command } from 'commander'
import { client, clientChanges, newClient } from '../../src/api/admin/client-schemas.ts'
import { createProgram } from '../../src/cli/program.ts'
import { settingColumns, settings } from '../../src/clients/client-settings.ts'
import type { Setting } from '../../src/clients/setting-kinds.ts'
import { root } from '../../tools/root.ts'
import { register } from '../support/clients/clients.ts'
import { startServer } from '../support/server/start-server.ts'

const declared: readonly Setting[] = Object.values(settings)

/** A row of the table in docs/clients.md. */
function documented({ name, option, rule, about, isFixed }: Setting): string {
  const { success, data } = rule.safeParse(undefined)
  const byDefault = data === null || data === undefined ? '' : `\`${JSON.stringify(data)}\``
  const cells = [
    `\`${name}\``,
    `\`${option.flags}\``,
    success ? byDefault : 'required',
    `${about}${isFixed ? '; cannot be changed' : ''}`,
  ]
  return `| ${cells.join(' | ')} |`
}

test('docs/clients.md describes every setting as it is declared', async (t) => {
  const page = await readFile(join(root, 'docs/clients.md'), 'utf8')
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  t.deepEqual(rows, declared.map(documented), 'copy the expected rows into the table')
})

test('every setting is a column of its own type, read by the prepared statement', async (t) => {
  const { db, services } = await startServer(t)
  const own = ['id', 'created_at', 'disabled_at']
  const columns = Object.keys(await db('clients').columnInfo())
  t.deepEqual(
    columns.filter((column) => !own.includes(column)).sort(),
    settingColumns.split(', ').sort(),
  )
  const different = {
    firstParty: true,
    introspects: ['*'],
    refreshTokens: 'never' as const,
    accessTokenSeconds: 61,
    sessionIdleSeconds: 62,
    sessionAbsoluteSeconds: 63,
    letsUnverifiedIn: true,
  }
  await register({ services } as Awaited<ReturnType<typeof startServer>>, 'whole', different)
  const cached = (await services.clients.findAnew('whole'))?.client
  const { endingSessions, ...listed } = await services.clients.get('whole')
  t.false(endingSessions)
  t.deepEqual(cached, listed, 'the prepared SELECT reads every setting')
  t.like(cached, different)
})

test('every setting is in the JSON API, with its description', (t) => {
  const shapes = {
    create: newClient.shape,
    change: clientChanges.shape,
    answer: client.shape,
  } as Record<string, Record<string, { meta(): { description?: string } | undefined }>>
  for (const { name, about, isFixed, isHidden } of declared) {
    t.true(name in (shapes.create ?? {}), name)
    t.is(name in (shapes.change ?? {}), !isFixed, name)
    t.is(name in (shapes.answer ?? {}), !isHidden, name)
    if (!isHidden) t.is(shapes.answer?.[name]?.meta()?.description, about)
  }
})

test('every setting is an option of clients create, with its description', async (t) => {
  const program = await createProgram()
  const named = (command: Command | undefined, name: string) =>
    command?.commands.find((one) => one.name() === name)
  const create = named(named(program, 'clients'), 'create')
  const help = create?.helpInformation().replace(/\s+/g, ' ') ?? ''
  for (const { about, option } of declared) {
    t.true(
      create?.options.some(({ flags }) => flags === option.flags),
      option.flags,
    )
    t.true(help.includes(`${option.flags} ${about}`), about)
  }
})
