import type { ExecutionContext } from 'ava'
import { explanationSources } from '../../src/app/explanation-sources.ts'
import type { Runtime } from '../../src/app/runtime.ts'
import { explain } from '../../src/explanations/explain.ts'
import { type Expected, firstFailed } from '../../src/explanations/explanation.ts'
import type { TestServer } from '../support/server/start-server.ts'

/** Explains as the command does, with the services of a server that runs. */
export function explainerOf(server: TestServer) {
  const { db, app, clock, services } = server
  const runtime = { db, config: { issuer: app.issuer }, now: clock.now } as unknown as Runtime
  const sources = explanationSources(runtime, services)
  return async (text: string, expected: Expected = {}) => {
    const explanation = await explain(text, expected, sources)
    const failed = explanation && firstFailed(explanation)
    return { explanation, failed: failed?.check, message: failed?.message ?? '' }
  }
}

export type Explain = ReturnType<typeof explainerOf>

/** A token, the check that it fails, and a part of what is said about it. */
export type Case = readonly [
  name: string,
  token: string,
  failed: string | undefined,
  says: RegExp,
  expected?: Expected,
]

/** Each case fails its own check first, and nothing that is said has the secret in it. */
export async function areExplained(
  t: ExecutionContext<unknown>,
  explain: Explain,
  cases: readonly Case[],
): Promise<void> {
  for (const [name, token, failed, says, expected] of cases) {
    const found = await explain(token, expected)
    const text = JSON.stringify(found.explanation)
    t.is(found.failed, failed, `${name}: ${text}`)
    t.regex(failed === undefined ? text : found.message, says, name)
    t.false(
      /^(eyJ|s[a-z]{2}_)/.test(token) && text.includes(token),
      `${name}: the token is not repeated`,
    )
    t.notRegex(text, /s[a-z]{2}_[\w-]{20}/, `${name}: nor is any other`)
  }
}
