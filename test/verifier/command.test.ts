import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { VerificationError } from '../../src/verifier/verification-error.ts'
import { createVerifier } from '../../src/verifier/verifier.ts'
import { invoices, orders } from '../../tools/fixtures.ts'
import { root } from '../../tools/root.ts'
import { brokenTokens } from '../explanations/broken-tokens.ts'
import { explainerOf } from '../explanations/explainer.ts'
import { victimOf } from '../support/people/victim.ts'
import { emptyFolder } from '../support/server/signet.ts'
import { startServer } from '../support/server/start-server.ts'

const program = join(root, 'dist', 'src', 'verifier', 'signet-verify.js')

/** The built command, as a service has it that has installed the package. */
function verify(args: readonly string[], input = '') {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(process.execPath, [program, ...args], (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    )
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}

/** The server says `issuer` of a token without one; the verifier checks claims before the issuer. */
const differs = new Set(['no issuer'])
/** The verifier accepts any text as a session and a person: services compare it with nothing. */
const accepted = new Set(['a session that is none', 'a session of no person'])

test('a broken token → the verifier and the server name the same check', async (t) => {
  const victim = await victimOf(t)
  const { server } = victim
  const verifier = createVerifier({
    issuer: server.app.issuer,
    audience: orders,
    revocations: false,
    unknownKidCooldownSeconds: 0.001,
    now: server.clock.now,
  })
  t.teardown(() => verifier.close())
  const explain = explainerOf(server)
  const now = Math.floor(server.clock.now().getTime() / 1000)
  let compared = 0
  for (const [name, token] of brokenTokens(victim, now)) {
    if (accepted.has(name)) continue
    const error = await t.throwsAsync(verifier.verify(token), { instanceOf: VerificationError })
    const { failed } = await explain(token)
    t.is(error.check as string | undefined, differs.has(name) ? 'claims' : failed, name)
    compared += 1
  }
  t.true(compared > 30)
})

async function serviceOf(t: ExecutionContext) {
  const server = await startServer(t)
  const { body } = await server.signIn()
  const token: string = body.access_token
  const options = ['--issuer', server.app.issuer, '--audience', orders]
  return { server, token, options }
}

test('signet-verify - of a good token → every check, exit 0; of a revoked one exit 1', async (t) => {
  const { server, token, options } = await serviceOf(t)
  const good = await verify(['-', ...options], `${token}\n`)
  t.like(good, { code: 0, stderr: '' })
  t.regex(good.stdout, /^✔ form +3 parts/)
  t.regex(good.stdout, /^✔ revocation\n\nThe token is valid\.\n$/m)
  t.false(good.stdout.includes(token))
  await server.revoke(token)
  const revoked = await verify(['-', ...options], token)
  t.is(revoked.code, 1)
  t.regex(revoked.stdout, /^✘ revocation +the token, its session, client or key is revoked$/m)
  t.regex(revoked.stdout, /^Code: token_revoked$/m)
})

test('signet-verify with --jwks → no network, and the list of revocations was not read', async (t) => {
  const { server, token, options } = await serviceOf(t)
  const jwks = join(await emptyFolder(t), 'jwks.json')
  await writeFile(jwks, (await server.get('/.well-known/jwks.json')).text)
  await server.stop()
  const { code, stdout } = await verify([token, ...options, '--jwks', jwks])
  t.is(code, 0)
  t.regex(stdout, /^– revocation +the list of revocations was not read$/m)
  const foreign = await verify(
    ['-', '--issuer', server.app.issuer, '--audience', invoices, '--jwks', jwks, '--json'],
    token,
  )
  t.is(foreign.code, 1)
  const json = JSON.parse(foreign.stdout)
  t.like(json, { ok: false, failed: 'audience', code: 'audience_mismatch' })
  t.is(json.checks.at(-1).state, 'skipped')
})

test('signet-verify that cannot decide → exit 2', async (t) => {
  const { server, token, options } = await serviceOf(t)
  t.is((await verify(['-', '--issuer', server.app.issuer], token)).code, 2, 'no audience')
  t.is((await verify([], '')).code, 2, 'no token')
  t.is((await verify(['-', ...options, '--unknown'], token)).code, 2)
  const plain = await verify(['-', '--issuer', 'http://auth.example', '--audience', 'x'], token)
  t.is(plain.code, 2)
  t.regex(plain.stderr, /^signet-verify: issuer must be https/)
  await server.stop()
  const away = await verify(['-', ...options], token)
  t.is(away.code, 2)
  t.regex(away.stdout, /^✘ key +the keys of the issuer could not be fetched/m)
  t.is((await verify(['--help'])).code, 0)
})
