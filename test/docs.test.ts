import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { problems } from '../src/api/problem.ts'
import { createProgram } from '../src/cli/program.ts'
import { variables } from '../src/config/environment.ts'
import { fileVariables } from '../src/config/secret-files.ts'
import { delayLimits, limits } from '../src/throttle/limits.ts'
import { eventually } from '../tools/eventually.ts'
import { root } from '../tools/root.ts'
import { blocksOf, chapterOf, filledIn } from './support/docs/documents.ts'
import { startPasted } from './support/docs/pasted-program.ts'
import { likeFirstStart } from './support/server/first-start.ts'
import { startServer, type TestServer } from './support/server/start-server.ts'

const readme = await readFile(join(root, 'README.md'), 'utf8')

const accounts = await readFile(join(root, 'docs/accounts.md'), 'utf8')

const chapter = (title: string): string => chapterOf(readme, title)

/** Values for the variables of the README that a reader has to set. */
async function givenBy(server: TestServer) {
  const { demo, password } = await likeFirstStart(server)
  return { URL: server.url, CLIENT: `${demo.id}:${demo.secret}`, PASSWORD: password }
}

test('the curl commands of the README work as pasted', async (t) => {
  const server = await startServer(t)
  const given = await givenBy(server)
  const pasted = blocksOf(chapter('Getting tokens'), 'bash')
  t.true(pasted.length >= 5)
  const script = filledIn(t, pasted.join('echo\n'), given)
  const tokens = 'printf "%s\\n" "$ACCESS_TOKEN" "$REFRESH_TOKEN" "$SERVICE_TOKEN"'
  const { stdout } = await promisify(execFile)('bash', [
    '-euo',
    'pipefail',
    '-c',
    `${script}\n${tokens}`,
  ])

  const lines = stdout.trim().split('\n')
  const [access, refresh, service] = lines.slice(-3)
  t.regex(stdout, /"active":true.*"active":false/s)
  t.false((await server.introspect(access as string)).body.active, 'its session was ended')
  t.regex(refresh as string, /^srt_/)
  t.is((await server.services.accessTokens.verify(service as string))?.claims.sub, 'demo')
})

test('the curl commands of docs/accounts.md work as pasted', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'signet-readme-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const server = await startServer(t, { environment: { DATA_DIR: join(folder, '.data') } })
  const given = await givenBy(server)
  const pasted = blocksOf(chapterOf(accounts, 'A walk-through'), 'bash')
  t.true(pasted.length >= 4)
  const field = /^field\(\).*$/m.exec(chapter('Getting tokens'))?.[0] ?? ''
  // The mail may take longer than a second here.
  const wait = 'sleep() { until ls .data/outbox/*.eml; do command sleep 0.1; done; }'
  const print = 'echo; echo "$KEY_TOKEN"'
  const { stdout } = await promisify(execFile)(
    'bash',
    ['-euo', 'pipefail', '-c', [field, wait, ...pasted, print].join('\n')],
    { cwd: folder, env: { ...process.env, ...given }, timeout: 60_000 },
  )

  t.regex(stdout, /"email":"grace@example.org","email_verified":false.*"email_verified":true/s)
  const token = stdout.trim().split('\n').at(-1) as string
  const claims = (await server.services.accessTokens.verify(token))?.claims
  const grace = await server.services.users.findAny('grace@example.org')
  t.is(claims?.sub, grace?.id, stdout)
  t.is(claims?.client_id, 'backup')
  t.deepEqual(claims?.amr, ['api_key'])
})

test('every command in the documents exists, with its options', async (t) => {
  const texts = [...(await documents()).values()]
  const commands = texts.flatMap((text) => [...text.matchAll(/npx signet ([^\n`]+)/g)])
  t.true(commands.length > 30)
  for (const [, line = ''] of commands) {
    const words = line
      .replace(/(#| < ).*/, '')
      .trim()
      .split(/\s+/)
    let command = await createProgram()
    for (;;) {
      const next = command.commands.find((one) => one.name() === words[0])
      if (!next) break
      command = next
      words.shift()
    }
    if (words.includes('--help')) continue
    command.exitOverride()
    const { operands, unknown } = command.parseOptions(words)
    t.deepEqual(unknown, [], line)
    const needed = command.registeredArguments.filter(({ required }) => required)
    t.true(operands.length >= needed.length, line)
    t.true(operands.length <= command.registeredArguments.length, line)
    t.is(command.commands.length, 0, `${line} is only the beginning of a command`)
  }
})

test('the service of the README accepts valid tokens only', async (t) => {
  const server = await startServer(t)
  const { demo } = await likeFirstStart(server)
  const [code = ''] = blocksOf(chapter('Verifying in a service'), 'js')
  const service = await startPasted(t, code, server.app.issuer)
  const ask = async (token: string) => (await service('/', token)).status
  const tokenFor = async (form: Record<string, string>, as?: { id: string; secret: string }) =>
    (await server.clientCredentials(form, as)).body.access_token as string

  const good = await tokenFor({ scope: 'read' }, demo)
  t.is(await ask(good), 200)
  t.is(await ask(await tokenFor({ scope: 'write' }, demo)), 403)
  t.is(await ask(await tokenFor({ scope: 'read' })), 401, 'for another audience')
  t.is(await ask(`${good.slice(0, -8)}AAAAAAAA`), 401)
  t.is(await ask('none'), 401)
  await server.revoke(good, demo)
  await eventually(async () => (await ask(good)) === 401, 'it learns of the revocation')
})

test('docs/endpoints.md lists every route', async (t) => {
  const server = await startServer(t)
  const api = await readFile(join(root, 'docs/endpoints.md'), 'utf8')
  const rows = [...api.matchAll(/^\| `([A-Z]+ \/\S*)` \|/gm)].map(([, route = '']) =>
    route.replace(/\{(\w+)\}/g, ':$1'),
  )
  t.deepEqual(rows.sort(), [...server.app.routes].sort())
})

const rowsOf = (text: string): string[][] =>
  [...text.matchAll(/^\| (.*) \|$/gm)].map(([, row = '']) => row.split(' | '))

test('docs/accounts.md lists every limit of throttle/limits.ts', async (t) => {
  const page = await readFile(join(root, 'docs/accounts.md'), 'utf8')
  const duration = (seconds: number) => {
    const [size, unit] = [
      [86_400, 'day'],
      [3600, 'hour'],
      [60, 'minute'],
      [1, 'second'],
    ].find(([size = 1]) => seconds % Number(size) === 0) as [number, string]
    return `${seconds / size} ${unit}${seconds === size ? '' : 's'}`
  }
  const real = Object.values(limits)
    .flat()
    .map(({ policy, points, windowSeconds, per }) =>
      [`\`${policy}\``, points, duration(windowSeconds), per.join(', ')].join(' | '),
    )
  const listed = rowsOf(page).filter(([, , window]) =>
    /^\d+ (minute|hour|day)s?$/.test(window ?? ''),
  )
  t.deepEqual(listed.map((row) => row.slice(0, 4).join(' | ')).sort(), real.sort())

  const { freeFailures, firstDelaySeconds, longestDelaySeconds, forgetSeconds } = delayLimits
  const delays = rowsOf(page).filter(([name]) => name?.startsWith('delay: '))
  t.deepEqual(
    delays.map(([, value]) => value),
    [
      String(freeFailures),
      ...[firstDelaySeconds, longestDelaySeconds, forgetSeconds].map(duration),
    ],
  )
})

test('docs/accounts.md lists every problem type with its status and title', async (t) => {
  const page = await readFile(join(root, 'docs/accounts.md'), 'utf8')
  const listed = rowsOf(page).filter(([, status]) => /^[45]\d\d$/.test(status ?? ''))
  const real = Object.entries(problems).map(([type, [status, title]]) =>
    [`\`${type}\``, status, title].join(' | '),
  )
  t.deepEqual(listed.map((row) => row.slice(0, 3).join(' | ')).sort(), real.sort())
})

/** Every document of the product, by its path from the root. */
async function documents(): Promise<Map<string, string>> {
  const top = await readdir(root)
  const inside = ['docs', 'keys', 'bench', 'examples', 'deploy'].filter((folder) =>
    top.includes(folder),
  )
  const deeper = await Promise.all(
    inside.map(async (folder) =>
      (await readdir(join(root, folder), { recursive: true })).map((file) => join(folder, file)),
    ),
  )
  const files = [...top, ...deeper.flat()].filter(
    (file) => file.endsWith('.md') && !file.includes('node_modules'),
  )
  const texts = files.map(async (file) => [file, await readFile(join(root, file), 'utf8')] as const)
  return new Map(await Promise.all(texts))
}

test('every link between the documents has a target', async (t) => {
  const texts = await documents()
  t.true(texts.size > 10)
  const dead: string[] = []
  for (const [file, text] of texts) {
    for (const [, link = ''] of text.replace(/^```.*?^```/gms, '').matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link) || link.startsWith('../../commits')) continue
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? file : join(dirname(file), path)
      const found = existsSync(join(root, target))
      const heading = anchor === undefined || anchors(texts.get(target) ?? '').has(anchor)
      if (!found || !heading) dead.push(`${file}: ${link}`)
    }
  }
  t.deepEqual(dead, [])
})

/** The anchors of the headings, as common renderers name them. */
const anchors = (text: string): Set<string> =>
  new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  )

test('the documents name existing variables and audit events', async (t) => {
  const texts = await documents()
  const others = ['ERR_JWT_EXPIRED', 'UV_THREADPOOL_SIZE', 'GLIBC_TUNABLES', 'NODE_EXTRA_CA_CERTS']
  const ofExamples = ['CLIENT_ID', 'CLIENT_SECRET', 'SESSION_SECRET', 'BASE_URL', 'APP_ORIGIN']
  const unknown: string[] = []
  for (const [file, text] of texts) {
    const prose = text.replace(/^```.*?^```/gms, '')
    for (const [, name = ''] of prose.matchAll(
      /(?<![\w$])([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)(?!\w|\*)/g,
    )) {
      const isKnown = name in variables || [...fileVariables, ...others].includes(name)
      const hasApps = file.startsWith('examples/') || file === 'docs/sign-in.md'
      const isOfExample =
        (hasApps && ofExamples.includes(name)) ||
        (file === 'deploy/README.md' && name.startsWith('REPLACE_'))
      if (!isKnown && !isOfExample) unknown.push(`${file}: ${name}`)
    }
  }
  t.deepEqual(unknown, [])

  const source = await readFile(join(root, 'src/audit/audit-log.ts'), 'utf8')
  const declared = [...source.matchAll(/^ {2}\| '([a-z_]+\.[a-z_]+)'$/gm)].map(([, name]) => name)
  const table = (texts.get('SECURITY.md') ?? '').match(/^\| `[a-z_]+\.[a-z_]+`.*$/gm) ?? []
  const listed = table.flatMap((row) => row.match(/(?<=`)[a-z_]+\.[a-z_]+(?=`)/g) ?? [])
  t.true(declared.length > 10)
  t.deepEqual(listed.sort(), declared.sort())
})
