#!/usr/bin/env node
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { explainToken, type TokenExplanation } from './explain-token.ts'
import { createVerifier, type VerifierOptions } from './verifier.ts'

const usage = `Usage: signet-verify TOKEN --issuer URL --audience NAME [options]

Verifies an access token as a service does, and prints the checks with the first that failed.
Give - and send the token to standard input: an argument stays in the history of the shell.

Options:
  --issuer URL      the exact iss of the tokens
  --audience NAME   this service; may be repeated
  --jwks FILE       the keys, as /.well-known/jwks.json has them: no network, and no list of revocations
  --tolerance S     allowed clock difference in seconds (5)
  --json            print JSON
  --help            this text

Exit code: 0 the token is valid, 1 a check failed, 2 the token could not be checked.
`

/** Longer than any token. */
const mostBytes = 64 * 1024

interface Arguments {
  readonly token: string
  readonly verifier: VerifierOptions
  readonly json: boolean
}

/** @returns undefined for a request for help */
async function readArguments(args: string[]): Promise<Arguments | undefined> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      issuer: { type: 'string' },
      audience: { type: 'string', multiple: true },
      jwks: { type: 'string' },
      tolerance: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const [subject, ...more] = positionals
  const { issuer, audience, jwks, tolerance } = values
  if (subject === undefined || more.length > 0) throw new TypeError('give one token, or -')
  if (issuer === undefined) throw new TypeError('--issuer is missing')
  if (audience === undefined) throw new TypeError('--audience is missing')
  const keys = jwks === undefined ? undefined : await readFile(jwks)
  return {
    token: subject === '-' ? await readStandardInput() : subject.trim(),
    json: values.json,
    verifier: {
      issuer,
      audience,
      ...(tolerance !== undefined && { clockToleranceSeconds: Number(tolerance) }),
      ...(keys && { revocations: false as const, fetch: serving(issuer, keys) }),
    },
  }
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk)
    size += chunk.length
    if (size > mostBytes) throw new TypeError('standard input is too long for a token')
  }
  return Buffer.concat(chunks).toString('utf8').trim()
}

/** Answers for the issuer from a file, so that the verifier needs no network. */
function serving(issuer: string, keys: Buffer): typeof fetch {
  const jwks_uri = `${issuer.replace(/\/$/, '')}/.well-known/jwks.json`
  return async (url) =>
    String(url) === jwks_uri
      ? new Response(new Uint8Array(keys))
      : new Response(JSON.stringify({ issuer, jwks_uri }))
}

const marks = { passed: '✔', failed: '✘', skipped: '–' } as const

function textOf({ ok, failed, code, checks }: TokenExplanation): string {
  const lines = checks.map(({ check, state, message }) =>
    `${marks[state]} ${check.padEnd(10)}  ${message}`.trimEnd(),
  )
  const verdict = ok ? 'The token is valid.' : `Refused. The first check that failed: ${failed}.`
  return [...lines, '', verdict, ...(code === undefined ? [] : [`Code: ${code}`])].join('\n')
}

/** The issuer did not answer, so the token may be good. */
const undecided: ReadonlySet<string | undefined> = new Set([
  'keys_unavailable',
  'revocations_stale',
])

async function run(args: string[]): Promise<number> {
  const read = await readArguments(args)
  if (!read) {
    process.stdout.write(usage)
    return 0
  }
  const verifier = createVerifier(read.verifier)
  try {
    const explanation = await explainToken(verifier, read.token, new Date())
    const text = read.json ? JSON.stringify(explanation, null, 2) : textOf(explanation)
    process.stdout.write(`${text}\n`)
    if (explanation.ok) return 0
    return undecided.has(explanation.code) ? 2 : 1
  } finally {
    await verifier.close()
  }
}

try {
  process.exitCode = await run(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`signet-verify: ${(error as Error).message}\n`)
  process.exitCode = 2
}
