// Alone: it awaits before it declares its tests.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { Challenge } from '../../src/verifier/challenge.ts'
import { startTestIssuer } from '../../src/verifier/testing.ts'
import { type VerificationCode, VerificationError } from '../../src/verifier/verification-error.ts'
import { readOptions } from '../../src/verifier/verifier-options.ts'
import { root } from '../../tools/root.ts'
import { blocksOf, chapterOf } from '../support/docs/documents.ts'
import { startPasted } from '../support/docs/pasted-program.ts'

const page = await readFile(join(root, 'docs/verifying.md'), 'utf8')
const source = (file: string) => readFile(join(root, 'src/verifier', file), 'utf8')

const chapter = (title: string): string => chapterOf(page, title)

const rows = (title: string): string[][] =>
  [...chapter(title).matchAll(/^\| (`[^|]*) \|$|^\| (`.*) \|$/gm)].map(([, one, more]) =>
    (one ?? more ?? '').split(' | '),
  )

const named = (cell = ''): string => cell.replaceAll('`', '')

test('docs/verifying.md lists every option with its default', async (t) => {
  const text = await source('verifier-options.ts')
  const members = (name: string) => {
    const [, body = ''] = new RegExp(`export interface ${name} \\{(.*?)^\\}`, 'ms').exec(text) ?? []
    return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, member = '']) => member)
  }
  const feed = members('RevocationOptions')
  const options = members('VerifierOptions')
  t.true(feed.length >= 3 && options.length >= 12)
  const listed = rows('Options')
  t.deepEqual(
    listed.map(([name]) => named(name)).sort(),
    [...options, ...feed.map((name) => `revocations.${name}`)].sort(),
  )

  const settings = readOptions({ issuer: 'https://signet.example', audience: 'x' })
  const real: Record<string, unknown> = { ...settings }
  for (const [name, value] of Object.entries(settings.revocations ?? {})) {
    real[`revocations.${name}`] = value
  }
  const inWords = ['issuer', 'audience', 'revocations', 'fetch', 'now', 'onEvent']
  for (const [name, value] of listed) {
    if (inWords.includes(named(name))) continue
    const wanted = JSON.stringify(real[named(name)]).replaceAll('"', "'")
    t.is(named(value), wanted, name)
  }
})

test('docs/verifying.md lists every code with the status that guards answer', async (t) => {
  const text = await source('verification-error.ts')
  const codes = [...text.matchAll(/^ {2}\| '(\w+)'$/gm)].map(([, code]) => code as VerificationCode)
  t.true(codes.length >= 14)
  const challenge = new Challenge('api')
  const real = codes.map((code) => {
    const { status } = challenge.notVerified(new VerificationError(code, 'a test'))
    return `${code} ${status}`
  })
  const listed = rows('Errors').map(([code, status]) => `${named(code)} ${status}`)
  t.deepEqual(listed, real)
})

test('docs/verifying.md lists every reason of a refusal', async (t) => {
  const text = await source('challenge.ts')
  const [, union = ''] = /export type RefusalReason =(.*?)\n\n/s.exec(text) ?? []
  const reasons = [...union.matchAll(/'(\w+)'/g)].map(([, reason = '']) => reason)
  t.is(reasons.length, 4)
  for (const reason of reasons) t.true(chapter('Quick start').includes(`\`${reason}\``), reason)
})

test('docs/verifying.md lists every member of the test issuer and its options', async (t) => {
  const text = await source('testing.ts')
  const listed = chapter('Testing your service')
  for (const name of ['TestIssuerOptions', 'TestIssuer']) {
    const [, body = ''] = new RegExp(`export interface ${name} \\{(.*?)^\\}`, 'ms').exec(text) ?? []
    const members = [...body.matchAll(/^ {2}(?:readonly )?(\w+)[?(:]/gm)].map(([, one]) => one)
    t.true(members.length >= 5)
    for (const one of members) t.regex(listed, new RegExp(`\\b${one}\\b`))
  }
})

test('the example of a revocation list is correct', (t) => {
  const text = chapter('The list of revocations')
  const digests = ['jti:0b5c1b1e-6f1d-4c7e-9a53-3f9d2e7a8c10', 'client:billing'].map((what) => {
    t.true(text.includes(what))
    const digest = createHash('sha256').update(what).digest().subarray(0, 16)
    t.true(text.includes(digest.toString('hex')), what)
    return digest
  })
  const [json = '{}'] = blocksOf(chapter('The list of revocations'), 'json')
  t.deepEqual(JSON.parse(json).revoked, {
    1767226560: Buffer.concat(digests).toString('base64url'),
  })
})

test('the quick starts for Koa, Express and Fastify work as pasted', async (t) => {
  const issuer = await startTestIssuer()
  t.teardown(() => issuer.close())
  const pasted = blocksOf(chapter('Quick start'), 'js')
  t.is(pasted.length, 3)
  const ann = await issuer.token({ sub: 'ann', scope: 'reports:read', roles: ['auditor'] })
  const ben = await issuer.token({ sub: 'ben' })
  const another = await issuer.token({ aud: 'https://another.example' })
  const check = async (code: string) => {
    const service = await startPasted(t, code, issuer.issuer)
    const ask = async (path: string, token?: string) => {
      const response = await service(path, token)
      return `${response.status} ${((await response.json()) as { sub?: string }).sub}`
    }
    for (const path of ['/me', '/news', '/reports', '/audit']) {
      t.is(await ask(path, ann), '200 ann', path)
      t.regex(await ask(path, another), /^401 /, path)
    }
    t.is(await ask('/me', ben), '200 ben')
    t.is(await ask('/news'), '200 null')
    t.regex(await ask('/me'), /^401 /)
    t.regex(await ask('/reports', ben), /^403 /)
    t.regex(await ask('/audit', ben), /^403 /)
  }
  await Promise.all(pasted.map(check))
})

test('the example test of the page passes', async (t) => {
  const [code = ''] = blocksOf(chapter('Testing your service'), 'js')
  const args = ['--input-type=module', '--eval', code]
  const { PATH = '' } = process.env
  const options = { cwd: root, env: { PATH }, timeout: 60_000 }
  const { stdout } = await promisify(execFile)(process.execPath, args, options)
  t.regex(stdout, /(# pass 1|pass 1)\b/)
  t.regex(stdout, /fail 0\b/)
})
