import { generateKeyPair, generateKeyPairSync } from 'node:crypto'
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import { eventually } from '../../tools/eventually.ts'
import { masterKeys, masterKeyText, production } from '../../tools/fixtures.ts'
import { signerOf, tend } from '../keyring/tend.ts'
import { emptyFolder, signet } from '../support/server/signet.ts'
import { startServer } from '../support/server/start-server.ts'

/** A server whose keys an operator works on from a folder of its own, and that itself rereads late. */
async function operator(t: ExecutionContext) {
  const server = await startServer(t, { environment: { KEYRING_REREAD_SECONDS: '60' } })
  await made(server.db, '0 s')
  const cwd = await emptyFolder(t)
  const env: Record<string, string> = {
    ...production(server.databaseUrl),
    REDIS_KEY_PREFIX: server.keyPrefix,
  }
  const run = (...args: string[]) => signet(['keys', ...args], { cwd, env })
  const refused = async (message: RegExp, ...args: string[]) => {
    const ran = await run(...args)
    t.like(ran, { code: 1, stdout: '' })
    t.regex(ran.stderr, message)
    t.notRegex(ran.stderr, /^ +at /m, 'no stack')
  }
  const kids: string[] = await server.db('signing_keys').orderBy('generation').pluck('kid')
  return { server, cwd, env, run, refused, kids: kids as [string, string] }
}

/** As if the two keys of the template had been made so long ago, however long the run takes already. */
const made = (db: Knex, ago: string) =>
  db.raw(
    `UPDATE signing_keys SET published_at = now() - ?::interval,
       signs_from = CASE generation WHEN 1 THEN now() - ?::interval ELSE signs_from END`,
    [ago, ago],
  )

const moment = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ'

test.serial('keys --help → lists every command', async (t) => {
  const { code, stdout } = await signet(['keys', '--help'], { cwd: '/' })
  t.is(code, 0)
  for (const name of ['list', 'rotate', 'revoke', 'import', 'rewrap', 'new-master']) {
    t.regex(stdout, new RegExp(`^  ${name} `, 'm'))
  }
})

test.serial('keys list → the state of each key, its end and its next change', async (t) => {
  const { server, run, kids } = await operator(t)
  const young = await run('list')
  t.like(young, { code: 0, stderr: '' })
  const lines = young.stdout.split('\n')
  t.regex(lines[0] ?? '', /^KID +STATE +SINCE +UNTIL +NEXT$/)
  const times = `${moment}  ${moment}`
  t.regex(lines[1] ?? '', new RegExp(`^${kids[0]}  active    ${times}  stops signing in 30 d$`))
  t.regex(lines[2] ?? '', new RegExp(`^${kids[1]}  upcoming  ${times}  signs in 30 d$`))
  t.regex(young.stdout, /In an emergency: \S+ is too new .* for another 1[0-6] min\.\n$/)
  await made(server.db, '2 hours')
  t.regex((await run('list')).stdout, /In an emergency: signet keys rotate --now is safe/)
  const json = (await run('list', '--json')).json()
  t.deepEqual(
    json.map(({ kid, state }: { kid: string; state: string }) => [kid, state]),
    [
      [kids[0], 'active'],
      [kids[1], 'upcoming'],
    ],
  )
  t.is(json[0].signs_until, json[1].signs_from)
})

test.serial(
  'keys list on an empty database → creates no key and says that the server does',
  async (t) => {
    const { server, run } = await operator(t)
    await server.db('signing_keys').delete()
    t.regex((await run('list')).stdout, /^There are no keys yet: the server creates two/)
    t.deepEqual((await run('list', '--json')).json(), [])
    t.is((await server.db('signing_keys')).length, 0)
  },
)

test.serial(
  'keys rotate → prints the timeline and follows it; --dry-run only prints it',
  async (t) => {
    const { server, run, kids } = await operator(t)
    const before = await server.db('signing_keys').orderBy('generation')
    const dry = await run('rotate', '--dry-run')
    t.is(dry.code, 0, dry.stderr)
    t.regex(dry.stdout, /Nothing was changed \(--dry-run\)\.\n$/)
    t.deepEqual(await server.db('signing_keys').orderBy('generation'), before)

    const real = await run('rotate')
    t.is(real.code, 0, real.stderr)
    const [head, turn, leave] = real.stdout.split('\n')
    t.regex(head ?? '', /^WHEN +WHAT$/)
    t.regex(turn ?? '', new RegExp(`^${moment}  in 1\\d min +${kids[1]} signs, ${kids[0]} stops$`))
    t.regex(
      leave ?? '',
      new RegExp(`^${moment}  in \\d\\d min +${kids[0]} leaves the JWKS, when its last`),
    )
    t.regex(real.stdout, /Every instance follows within 10 s; nothing else needs to be done\./)
    const [old, next] = await server.db('signing_keys').orderBy('generation')
    t.deepEqual(old.signs_until, next.signs_from)
    t.is(Number(next.signs_from) - Number(next.published_at), 960_000)
    const json = (await run('rotate', '--dry-run', '--json')).json()
    t.like(json, { from: kids[0], to: kids[1], too_soon_for: 0, dry_run: true })
  },
)

test.serial(
  'keys rotate --now before verifiers know the successor → refused without --yes',
  async (t) => {
    const { server, run, refused, kids } = await operator(t)
    await refused(/published too recently: .* another 9\d\d s .*--yes/, 'rotate', '--now')
    const dry = await run('rotate', '--now', '--dry-run')
    t.regex(
      dry.stdout,
      /Warning: verifiers .* another 1\d min .*\n.*Without --yes this rotation would be refused/,
    )
    t.is((await server.db('signing_keys')).length, 2)
    const forced = await run('rotate', '--now', '--yes')
    t.regex(forced.stdout, new RegExp(` now +${kids[1]} signs, ${kids[0]} stops`))
    t.regex(forced.stdout, /Warning: verifiers that cache the JWKS may not know/)
  },
)

test.serial(
  'keys rotate --now to a known key → signs immediately, and names its limits',
  async (t) => {
    const { server, run, kids } = await operator(t)
    await made(server.db, '2 hours')
    const token = (await server.clientCredentials()).body.access_token
    const rotated = await run('rotate', '--now')
    t.is(rotated.code, 0, rotated.stderr)
    t.regex(
      rotated.stdout,
      new RegExp(`has leaked, revoke it: signet keys revoke ${kids[0]} --yes`),
    )
    t.notRegex(rotated.stdout, /Warning/)
    await tend(server)
    t.is(signerOf((await server.clientCredentials()).body.access_token), kids[1])
    t.true((await server.introspect(token)).body.active)
    const listed = await run('list')
    t.regex(listed.stdout, new RegExp(`^${kids[0]}  retiring .* leaves the JWKS in 6\\d min$`, 'm'))
    t.regex(listed.stdout, new RegExp(`^${kids[1]}  active `, 'm'))
  },
)

test.serial(
  'keys revoke --yes → ends the tokens of the key on running servers; refused without --yes',
  async (t) => {
    const { server, run, refused, kids } = await operator(t)
    const token = (await server.clientCredentials()).body.access_token
    const asked = new RegExp(`Revoking ${kids[0]} \\(active\\) ends every token .* add --yes\\.`)
    await refused(asked, 'revoke', kids[0])
    t.true((await server.introspect(token)).body.active)
    await refused(/There is no key nobody\. See: signet keys list --all/, 'revoke', 'nobody')

    const done = await run('revoke', kids[0], '--yes')
    t.is(done.code, 0, done.stderr)
    t.regex(done.stdout, new RegExp(`^${kids[0]} is revoked: .* ${kids[1]} signs now\\.`))
    t.regex(
      done.stdout,
      /verify tokens themselves accept them until they reread the JWKS: up to 16 min/,
    )
    t.regex(done.stdout, /Warning: .* may not know .* for another 1\d min/)
    const inactive = async () => !(await server.introspect(token)).body.active
    await eventually(inactive, 'the running server refuses the token')

    await refused(/is revoked already/, 'revoke', kids[0], '--yes')
    const listed = (await run('list', '--all', '--json')).json()
    t.like(listed[0], { kid: kids[0], state: 'revoked' })
    t.false((await run('list')).stdout.includes(kids[0]))
    const json = (await run('revoke', kids[1], '--yes', '--json')).json()
    t.is(json.revoked, kids[1])
    t.is(json.signer, listed[2].kid)
  },
)

/** Beside the event loop: these keys take a second, and the answers of a server would wait for it. */
const rsa = (modulusLength: number) => promisify(generateKeyPair)('rsa', { modulusLength })

test.serial('keys import of a PKCS #8 or PKCS #1 key → published as the successor', async (t) => {
  const { server, cwd, run, refused, kids } = await operator(t)
  const own = (await rsa(2048)).privateKey
  await writeFile(join(cwd, 'own.pem'), own.export({ type: 'pkcs8', format: 'pem' }))
  const imported = await run('import', 'own.pem', '--json')
  t.is(imported.code, 0, imported.stderr)
  const { kid } = imported.json()
  await tend(server)
  const jwks = (await server.get('/.well-known/jwks.json')).body.keys
  t.deepEqual([jwks[0].kid, jwks[1].kid], [kids[0], kid])
  t.is(jwks[1].n, own.export({ format: 'jwk' }).n)
  await refused(/is here already: it is upcoming\./, 'import', 'own.pem')

  const pkcs1 = (await rsa(3072)).privateKey.export({ type: 'pkcs1', format: 'pem' })
  await writeFile(join(cwd, 'pkcs1.pem'), pkcs1)
  const second = await run('import', 'pkcs1.pem')
  t.is(second.code, 0, second.stderr)
  t.regex(
    second.stdout,
    new RegExp(`^\\S{43} is published and signs from ${moment} \\(in 30 d\\)\\.`),
  )
  t.regex(
    second.stdout,
    /Every verifier knows it in 16 min; from then on signet keys rotate lets it sign\.\n$/,
  )
  await refused(/is here already: it is retired\./, 'import', 'own.pem')
  t.regex(
    (await run('list', '--all')).stdout,
    new RegExp(`^${kid} +retired .* it never signed$`, 'm'),
  )
})

test.serial(
  'keys import of an unsuitable file → refused with file and reason, nothing changed',
  async (t) => {
    const { server, cwd, refused } = await operator(t)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    await writeFile(join(cwd, 'ec.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await refused(
      /^signet: ec\.pem: RS256 needs an RSA key; this one is ec\.$/m,
      'import',
      'ec.pem',
    )
    await writeFile(join(cwd, 'garbage.pem'), 'this is no key')
    await refused(
      /^signet: garbage\.pem: This is not a private key in PEM/,
      'import',
      'garbage.pem',
    )
    await refused(/^signet: missing\.pem: ENOENT/, 'import', 'missing.pem')
    t.is((await server.db('signing_keys')).length, 2)
  },
)

/** An operator with master keys in files, the first of them the one that sealed everything. */
async function withKeyFiles(t: ExecutionContext) {
  const { server, cwd, env, kids } = await operator(t)
  const { MASTER_KEYS: _, ...rest } = env
  const keysDir = join(cwd, 'keys')
  await mkdir(keysDir)
  const oldFile = join(keysDir, 'master-2020-01-01T000000Z.key')
  await writeFile(oldFile, `${masterKeyText}\n`, { mode: 0o600 })
  const run = (...args: string[]) =>
    signet(['keys', ...args], { cwd, env: { ...rest, KEYS_DIR: keysDir } })
  return { server, cwd, env, kids, keysDir, oldFile, run }
}

test.serial(
  'new-master, then rewrap → all secrets are resealed, and the old file is no longer needed',
  async (t) => {
    const { keysDir, oldFile, run, kids } = await withKeyFiles(t)
    const made = await run('new-master', '--json')
    t.is(made.code, 0, made.stderr)
    const { path, id } = made.json()
    t.deepEqual(
      (await readdir(keysDir)).map((name) => join(keysDir, name)),
      [oldFile, path],
    )

    const moved = await run('rewrap')
    t.is(moved.code, 0, moved.stderr)
    t.regex(moved.stdout, new RegExp(`^7 secrets resealed with master key ${id}\\.`))
    t.true(
      moved.stdout.includes(`No longer needed: master key ${masterKeys.newest.id} (${oldFile}).`),
    )
    t.like((await run('rewrap', '--json')).json(), { moved: 0, newest: id, needed: [id] })
    await rm(oldFile)
    t.true((await run('list')).stdout.includes(kids[0]))

    await rm(path)
    await writeFile(oldFile, masterKeyText, { mode: 0o600 })
    const lost = await run('list')
    t.is(lost.code, 1)
    t.regex(lost.stderr, new RegExp(`sealed by master key ${id}, which is not here .*KEYS_DIR`))
    await rm(oldFile)
    t.regex(
      (await run('list')).stderr,
      new RegExp(`sealed by master key ${id}, and there is none in`),
    )
  },
)

test.serial('new-master → prints the next steps; --print writes no file', async (t) => {
  const { run, cwd, env, keysDir } = await withKeyFiles(t)
  const made = await run('new-master')
  t.regex(
    made.stdout,
    /Copy it to every instance and restart them\.\n3\. Run: signet keys rewrap\n$/,
  )
  const printed = await run('new-master', '--print')
  t.regex(printed.stdout, /^[\w-]{43}\n$/)
  t.is((await readdir(keysDir)).length, 2)
  // With MASTER_KEYS set, the file would never be read.
  const ran = await signet(['keys', 'new-master'], { cwd, env: { ...env, KEYS_DIR: keysDir } })
  t.is(ran.code, 1)
  t.regex(ran.stderr, /MASTER_KEYS is set.*new-master --print/)
  t.is((await readdir(keysDir)).length, 2)
})

test.serial(
  'a key file that others can read → refused with the command that fixes it',
  async (t) => {
    const { run, oldFile } = await withKeyFiles(t)
    await chmod(oldFile, 0o640)
    const ran = await run('list')
    t.is(ran.code, 1)
    t.is(ran.stderr, `signet: ${oldFile} can be read by others. Run: chmod 600 ${oldFile}\n`)
    const json = await run('list', '--json')
    t.regex(json.json().error, /chmod 600/)
  },
)
