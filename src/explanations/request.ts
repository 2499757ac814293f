import type { RecordedRefusal } from '../audit/refusal-record.ts'
import type { PasswordRefusal } from '../authentication/password.ts'
import type { CodeFailure } from '../sessions/authorization-codes.ts'
import type { RotationFailure } from '../sessions/refresh-rotation.ts'
import { type Check, type Explanation, failed, momentOf, passed, quoted } from './explanation.ts'
import type { Sources } from './sources.ts'

type Reason = RotationFailure | CodeFailure | PasswordRefusal | 'no_audience_left'

const isReason = (cause: string): cause is Reason => Object.hasOwn(causes, cause)

/** Causes that the server names by a code, with the check that each stands for, in words. */
const causes: Readonly<Record<Reason, readonly [check: string, text: string]>> = {
  forged: ['signature', 'this installation did not issue the refresh token'],
  unknown: ['session', 'there was no such session (any more)'],
  other_client: ['owner', 'the refresh token was issued to another client'],
  revoked: ['end', 'the session had ended'],
  user_disabled: ['person', 'the person was disabled'],
  client_disabled: ['client', 'the client was disabled'],
  expired: ['time', 'the session had expired'],
  reused: [
    'generation',
    'the refresh token was spent, and its grace was over: the session has ended',
  ],
  abandoned: ['caller', 'the caller had closed the connection'],
  no_audience_left: ['audience', 'the client has none of the audiences of the session any more'],
  forged_code: ['signature', 'this installation did not issue the authorization code'],
  unknown_code: [
    'code',
    'the client has no such authorization code: spent, expired, or of another client',
  ],
  code_reused: ['code', 'the code was redeemed before: the session that it began has ended'],
  code_expired: ['time', 'the authorization code had expired'],
  code_not_valid: ['code', 'a row that decides changed at that moment'],
  redirect_uri_mismatch: [
    'redirect_uri',
    'it was not the redirect_uri of the authorization request',
  ],
  pkce_mismatch: ['pkce', 'the code_verifier does not fit the code_challenge of the request'],
  password_changed: ['password', 'the password was changed since the person signed in'],
  browser_signed_out: ['browser', 'the browser had signed out'],
  consent_withdrawn: ['consent', 'the person had not given their consent, or withdrew it'],
  wrong_credentials: [
    'password',
    'unknown or disabled person, or wrong password: never told apart',
  ],
  password_change_required: ['password', 'it was right, and must be changed'],
}

/** The check that an error without a cause of its own stands for. */
const ofError: Readonly<Record<string, string>> = {
  invalid_client: 'client',
  unauthorized_client: 'grant',
  unsupported_grant_type: 'grant',
  invalid_scope: 'scope',
  insufficient_scope: 'scope',
  invalid_target: 'audience',
  invalid_token: 'token',
  unauthenticated: 'token',
  forbidden: 'permission',
  'wrong-credentials': 'password',
  'password-change-required': 'password',
  'foreign-origin': 'origin',
  'too-many-requests': 'limit',
  temporarily_unavailable: 'server',
  unavailable: 'server',
  server_error: 'server',
  'internal-error': 'server',
}

const redirectCause = /redirect_uri/

function checkOf({ error, cause, policy }: RecordedRefusal): Check {
  if (cause !== null && isReason(cause)) {
    const [check, text] = causes[cause]
    return failed(check, `${text} (${cause})`)
  }
  if (policy !== null) return failed('limit', `${policy} was exceeded`)
  const [, check, reason] = /^([a-z]+): (.+)$/s.exec(cause ?? '') ?? []
  if (check !== undefined && reason !== undefined) return failed(check, quotedText(reason))
  if (cause === 'revocation') return failed('revocation', 'the token, its session, client or key')
  if (cause !== null && redirectCause.test(cause)) return failed('redirect_uri', quotedText(cause))
  return failed(ofError[error ?? ''] ?? 'request', quotedText(cause ?? error ?? 'no reason'))
}

/** Sentences of the server; characters that a terminal would obey are left out all the same. */
const quotedText = (text: string): string => quoted(text, 200).slice(1, -1).replaceAll('\\"', '"')

/** The refusals of a request, from the record of the last ones. */
export async function explainRequest(
  requestId: string,
  { refusals }: Sources,
): Promise<Explanation | undefined> {
  if (!/^[\w.:-]{1,128}$/.test(requestId)) return undefined
  const [last, ...earlier] = await refusals.ofRequest(requestId)
  if (!last) return undefined
  const client = last.client_id
  const checks = [
    passed('request', `${last.method} ${last.route} at ${momentOf(last.at)}`),
    checkOf(last),
  ]
  const notes = [
    `It was answered ${last.status}${last.error === null ? '' : ` ${quotedText(last.error)}`}.`,
    ...(client === null ? [] : [`It named the client ${quoted(client)}.`]),
    ...(last.sid === null ? [] : [`How its session is now: signet explain ${last.sid}`]),
    ...(last.user_id === null ? [] : [`How its person is now: signet explain ${last.user_id}`]),
    ...(earlier.length === 0
      ? []
      : [`${earlier.length} more with this id: ${earlier.map(summary).join('; ')}`]),
  ]
  return { subject: 'request', id: requestId, checks, notes }
}

/** The last refusals of a person or a client, as notes. */
export async function latestNotes(
  { refusals }: Sources,
  who: Parameters<Sources['refusals']['latestOf']>[0],
): Promise<string[]> {
  const rows = await refusals.latestOf(who)
  return rows.map((row) => `Refused ${summary(row)} (signet explain ${row.request_id})`)
}

const summary = (row: RecordedRefusal): string =>
  `${momentOf(row.at)} ${row.method} ${row.route} ${row.status} ${quotedText(row.cause ?? row.error ?? '')}`
