import type { Command } from 'commander'
import { type Expected, firstFailed } from '../../explanations/explanation.ts'
import { withServices } from '../../server/open-runtime.ts'
import { several } from '../arguments.ts'
import { answers, example, type Result } from '../output.ts'
import { explanationRecord, explanationText } from './explanation-text.ts'

interface Options {
  readonly audience?: string
  readonly scope?: readonly string[]
  readonly client?: string
  readonly redirectUri?: string
  readonly codeVerifier?: string
}

/** The command understood nothing, or could not run: 1 means that a check failed. */
const notUnderstood = 2

export function explainCommand(program: Command): void {
  const command = program
    .command('explain')
    .description(
      'explain why something is refused: a token, cookie, code, key or secret, or the id of a person (or their name), client, ' +
        'session, token, signing key or refused request (X-Request-Id). Shows the checks in the order in which the server does them. ' +
        'Changes and spends nothing. Exits 0 if every check passes, 1 if one failed, 2 if it understood nothing',
    )
    .argument(
      '<subject>',
      'give - and send a token to standard input: an argument stays in the history of the shell, ' +
        'and other users of this machine can see it',
    )
    .option('--audience <name>', 'the service that received the token')
    .option('--scope <names>', 'the scopes that the service requires', several)
    .option('--client <id>', 'the client that presented it')
    .option('--redirect-uri <uri>', 'of the request; with a client or an authorization code')
    .option('--code-verifier <text>', 'of the token request; with an authorization code')
  example(
    command,
    'signet explain - --audience https://orders.example < token.txt',
    'signet explain app --redirect-uri https://app.example/callback/',
  )
  answers<Options>(command, explainSubject, { errorCode: notUnderstood })
}

async function explainSubject(options: Options, subject = ''): Promise<Result> {
  const text = subject === '-' ? await readStandardInput() : subject.trim()
  const { explain, isSecret } = await import('../../explanations/explain.ts')
  if (subject !== '-' && isSecret(text)) {
    process.stderr.write(
      'A token in an argument stays in the history of the shell: next time use signet explain -\n',
    )
  }
  const expected: Expected = {
    audience: options.audience,
    scope: options.scope,
    clientId: options.client,
    redirectUri: options.redirectUri,
    codeVerifier: options.codeVerifier,
  }
  return withServices(async (services, runtime) => {
    const { clockText } = await import('../../explanations/token-checks.ts')
    const { explanationSources } = await import('../../app/explanation-sources.ts')
    const sources = explanationSources(runtime, services)
    // A private half that does not open changes nothing here: no token is signed.
    await services.keyring.reread().catch((error) => {
      runtime.log.debug({ err: error }, 'a private half does not open')
    })
    const explanation = await explain(text, expected, sources)
    if (!explanation) {
      const message =
        'This is no token of Signet, and no id that this installation knows (any more). It may be of another ' +
        'environment, or it was cut.'
      return { json: { error: message }, text: message, exitCode: notUnderstood }
    }
    const json = {
      ...explanationRecord(explanation),
      clocks: { database: sources.now(), machineOffsetSeconds: sources.offsetSeconds() },
    }
    return {
      json,
      text: explanationText(explanation, `Clocks: ${clockText(sources)}.`),
      failed: firstFailed(explanation) !== undefined,
    }
  })
}

/** Tokens are far shorter. */
const mostBytes = 64 * 1024

async function readStandardInput(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('Paste the token, then press Enter and Ctrl-D:\n')
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk)
    size += chunk.length
    if (size > mostBytes) break
  }
  return Buffer.concat(chunks).toString('utf8').trim()
}
