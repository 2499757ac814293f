import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { exportJWK, generateKeyPair } from 'jose'
import { clientStaleSeconds } from '../../src/clients/client-cache.ts'
import { production } from '../../tools/fixtures.ts'
import { emptyFolder, signet } from '../support/server/signet.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

async function beside(t: ExecutionContext<unknown>) {
  const server = await startServer(t)
  const cwd = await emptyFolder(t)
  const env = { ...production(server.databaseUrl), REDIS_KEY_PREFIX: server.keyPrefix }
  const run = (...args: string[]) => signet(['clients', ...args], { cwd, env })
  return { server, run, cwd }
}

const audience = ['--audience', 'https://service.example']
const service = ['--grant', 'client_credentials', ...audience]

test('clients create → the printed secret works immediately', async (t) => {
  const { server, run } = await beside(t)
  const created = await run('create', 'billing', ...service, '--scope', 'a b')
  t.is(created.code, 0, created.stderr)
  const [, secret = ''] = /^client_secret {2}(scs_\S{43})$/m.exec(created.stdout) ?? []
  const answer = await server.clientCredentials({}, { id: 'billing', secret })
  t.like(answer.body, { scope: 'a b' })
})

test('lists separated by commas, spaces or repetition → the id is never taken for a value', async (t) => {
  const { run } = await beside(t)
  const grants = ['--first-party', '--grant', 'password,refresh_token', ...audience]
  const spellings = [
    ['create', ...grants, '--scope', 'read write', 'one', '--json'],
    ['create', ...grants, '--scope', 'read,write', 'one', '--json'],
    ['create', ...grants, '--scope', 'read', '--scope', 'write', 'one', '--json'],
    ['create', 'one', '--scope=read write', ...grants, '--json'],
  ]
  for (const [number, args] of spellings.entries()) {
    const named = args.map((arg) => (arg === 'one' ? `one-${number}` : arg))
    const { stderr, json, code } = await run(...named)
    t.is(code, 0, stderr)
    t.like(json(), { client_id: `one-${number}`, scopes: ['read', 'write'] })
    t.deepEqual(json().grant_types, ['password', 'refresh_token'])
  }
  const apart = await run('create', 'one', ...grants, '--scope', 'read', 'write')
  t.is(apart.code, 1)
  t.regex(apart.stderr, /too many arguments.*--help/s)
})

test('clients create with every option → each one reaches the client', async (t) => {
  const { run, cwd } = await beside(t)
  const { publicKey } = await generateKeyPair('ES256')
  await writeFile(join(cwd, 'jwks.json'), JSON.stringify({ keys: [await exportJWK(publicKey)] }))
  const created = await run(
    ...['create', 'app-2', '--name', 'The App', '--auth', 'private_key_jwt', '--jwks', 'jwks.json'],
    ...[
      '--first-party',
      '--grant',
      'password,authorization_code',
      '--scope',
      'a,b',
      '--default-scope',
      'a',
    ],
    ...['--audience', 'https://one.example', '--introspect', '*', '--refresh-tokens', 'never'],
    ...['--access-token-seconds', '60', '--session-idle-seconds', '61'],
    ...['--session-absolute-seconds', '62', '--lets-unverified-in', '--json'],
    ...['--redirect-uri', 'https://app.example/callback', '--consent', 'always'],
    ...['--post-logout-redirect-uri', 'https://app.example/bye', '--no-require-pkce'],
    ...['--backchannel-logout-uri', 'https://app.example/ended', '--default-max-age', '63'],
    ...['--initiate-login-uri', 'https://app.example/login', '--client-uri', 'https://app.example'],
    ...['--policy-uri', 'https://app.example/policy', '--tos-uri', 'https://app.example/terms'],
    ...['--accent-color', '#0b57d0'],
  )
  t.is(created.code, 0, created.stderr)
  const { created_at: _, ...client } = created.json()
  t.deepEqual(client, {
    client_id: 'app-2',
    token_endpoint_auth_method: 'private_key_jwt',
    name: 'The App',
    first_party: true,
    grant_types: ['password', 'authorization_code'],
    scopes: ['a', 'b'],
    default_scopes: ['a'],
    audiences: ['https://one.example'],
    introspects: ['*'],
    refresh_tokens: 'never',
    access_token_seconds: 60,
    session_idle_seconds: 61,
    session_absolute_seconds: 62,
    redirect_uris: ['https://app.example/callback'],
    post_logout_redirect_uris: ['https://app.example/bye'],
    backchannel_logout_uri: 'https://app.example/ended',
    initiate_login_uri: 'https://app.example/login',
    client_uri: 'https://app.example',
    policy_uri: 'https://app.example/policy',
    tos_uri: 'https://app.example/terms',
    accent_color: '#0b57d0',
    require_pkce: false,
    consent: 'always',
    default_max_age: 63,
    lets_unverified_in: true,
    disabled_at: null,
    ending_sessions: false,
  })
})

test('clients create with several errors → all are reported, each with its option', async (t) => {
  const { run } = await beside(t)
  const cases: [string[], RegExp[]][] = [
    [['x'], [/required option '--grant <types>'/]],
    [['x', '--grant', 'password'], [/required option '--audience <audiences>'/]],
    [['--grant', 'password', '--scope', 'a', ...audience], [/missing required argument 'id'/]],
    [['x', '--grant', 'implicit', ...audience], [/--grant: .*"client_credentials"/]],
    [['x', '--auth', 'basic', '--grant', 'password'], [/Allowed choices are client_secret_basic/]],
    [
      ['x', '--grant', 'password', '--access-token-seconds', '1h'],
      [/'1h' is invalid.*whole number/],
    ],
    [
      [
        'x',
        '--grant',
        'password,client_credentials',
        '--auth',
        'none',
        '--default-scope',
        'z',
        ...audience,
      ],
      [
        /^(signet: )?--grant: only a first-party/m,
        /^--grant: a public/m,
        /^--default-scope: must/m,
      ],
    ],
    [['app', ...service], [/There is a client app already/]],
    [['a b', ...service], [/the client_id: is 1 to 100 letters/]],
    [['x', ...service, '--jwks', 'no.json'], [/no\.json cannot be read/]],
  ]
  for (const [args, expected] of cases) {
    const { code, stderr } = await run('create', ...args)
    t.is(code, 1, args.join(' '))
    for (const sentence of expected) t.regex(stderr, sentence)
    t.notRegex(stderr, /^ +at /m)
  }
})

/** A command is a process of its own: its change takes effect at a server when its cache expires. */
const knowsNothingOf = (server: TestServer) => server.clock.advance({ seconds: clientStaleSeconds })

test('clients rotate-secret → both secrets work during the overlap, without one only the new secret', async (t) => {
  const { server, run } = await beside(t)
  const created = await run('create', 'billing', ...service, '--json')
  const first = created.json().client_secret
  const second = (await run('rotate-secret', 'billing', '--json')).json().client_secret
  const status = async (secret: string) =>
    (await server.clientCredentials({}, { id: 'billing', secret })).status
  t.deepEqual([await status(first), await status(second)], [200, 200])
  const third = (await run('rotate-secret', 'billing', '--overlap-hours', '0', '--json')).json()
  t.is(third.overlap_seconds, 0)
  knowsNothingOf(server)
  t.deepEqual([await status(second), await status(third.client_secret)], [401, 200])
  const wrong = await run('rotate-secret', 'billing', '--overlap-hours', '1e9')
  t.like(wrong, { code: 1 })
  t.regex(wrong.stderr, /number from 0 to 8760/)
})

test('clients disable → its sessions and tokens end, and the list shows it', async (t) => {
  const { server, run } = await beside(t)
  const { body } = await server.signIn()
  t.like((await run('disable', 'app', '--json')).json(), { client_id: 'app', sessions: 1 })
  knowsNothingOf(server)
  t.is((await server.refresh(body.refresh_token)).status, 401)
  t.is((await server.clientCredentials()).status, 401)
  const listed = await run('list')
  t.regex(listed.stdout, /^ID +AUTH +GRANTS +SCOPES +AUDIENCES +STATE\n(.*\n)?app .* disabled 20/)
  t.notRegex((await run('list', '--json')).stdout, /digest|scs_/)
  t.regex((await run('disable', 'nobody')).stderr, /no client nobody.*signet clients list/)
})
