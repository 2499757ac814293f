import type { ExecutionContext } from 'ava'
import type { Answer } from '../../../tools/http-client.ts'

const registered = [
  ...['invalid_request', 'invalid_client', 'invalid_grant', 'unauthorized_client'],
  ...['unsupported_grant_type', 'unsupported_token_type', 'invalid_scope', 'invalid_target'],
]

/** Details that no answer may contain: ASVS 16.5.1. */
const leaks = [
  /\bat .+:\d+/,
  /node_modules|\/src\/|\.ts\b/,
  /\b(select|insert|update|delete|where)\b.*\b(from|into|set|and)\b/i,
  /postgres|knex|redis|argon|jose|ioredis|koa/i,
  /relation|column|syntax|constraint|TypeError|RangeError|undefined|\[object/i,
]

export interface Expected {
  readonly status?: number
  readonly error?: string
}

/** One answer in the words of RFC 6749 §5.2, and not a word too many. */
export function isOAuthError(
  t: ExecutionContext<unknown>,
  answer: Answer,
  what: string,
  { status = 400, error = 'invalid_request' }: Expected = {},
): void {
  const told = `${what}: ${answer.status} ${answer.text}`
  t.is(answer.status, status, told)
  t.is(answer.body?.error, error, told)
  t.true(registered.includes(answer.body?.error), told)
  t.deepEqual(Object.keys(answer.body), ['error', 'error_description'], told)
  t.regex(answer.body.error_description, /^[\x20\x21\x23-\x5b\x5d-\x7e]{10,200}$/, told)
  for (const leak of leaks) t.notRegex(answer.text, leak, told)
  t.is(answer.headers.get('content-type'), 'application/json; charset=utf-8', told)
  t.is(answer.headers.get('cache-control'), 'no-store', told)
  const challenge = answer.headers.get('www-authenticate')
  t.is(challenge !== null, status === 401, told)
}
