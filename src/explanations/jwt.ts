import type { RevocationSubject } from '../revocations/revocation-log.ts'
import { type RevocationEntry, readRevocations } from '../revocations/revocation-reads.ts'
import type { VerifiedAccessToken } from '../tokens/access-tokens.ts'
import { type JwtCheck, jwtChecks, type TokenFault } from '../tokens/token-fault.ts'
import { explainAssertion, isAssertion } from './client-assertion.ts'
import {
  type Check,
  type Expected,
  type Explanation,
  failed,
  passed,
  quoted,
  relative,
  skipped,
  upTo,
} from './explanation.ts'
import { clientCheck, personCheck, sessionCheck } from './parties.ts'
import { because, eventAt, type Sources } from './sources.ts'
import {
  audienceCheck,
  clockText,
  keyFaultText,
  keyText,
  scopeCheck,
  timeText,
} from './token-checks.ts'

type Json = Readonly<Record<string, unknown>>

/** The parts of a JWT as anybody can read them: nothing in them is verified. */
interface Unverified {
  readonly length: number
  readonly header: Json
  readonly claims: Json
}

function read(token: string): Unverified {
  const [header = '', claims = ''] = token.split('.')
  return { length: token.length, header: objectOf(header), claims: objectOf(claims) }
}

function objectOf(part: string): Json {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Json) : {}
  } catch {
    return {}
  }
}

export const looksLikeJwt = (text: string): boolean =>
  text.startsWith('eyJ') || text.split('.').length === 3

/** The checks of a JWT: of a client assertion, of an ID token by its `typ`, otherwise of an access token. */
export async function explainJwt(
  token: string,
  expected: Expected,
  sources: Sources,
): Promise<Explanation> {
  const unverified = read(token)
  if (isAssertion(unverified)) return explainAssertion(token, unverified, sources)
  const isIdToken = String(unverified.header.typ).toUpperCase() === 'JWT'
  return isIdToken
    ? explainIdToken(token, unverified, expected, sources)
    : explainAccessToken(token, unverified, expected, sources)
}

async function explainAccessToken(
  token: string,
  unverified: Unverified,
  expected: Expected,
  sources: Sources,
): Promise<Explanation> {
  const { verified, fault } = await sources.accessTokens.examine(token)
  const own = await ownChecks(unverified, fault, sources)
  const genuine = verified ?? (await formerly(token, unverified, fault, sources))
  const rest = ['audience', 'revocation', 'person', 'client', 'session', 'scope']
  return {
    subject: 'access token',
    id: genuine?.claims.jti,
    checks: [
      ...own,
      ...(genuine
        ? await laterChecks(genuine, expected, sources)
        : rest.map((name) => skipped(name))),
    ],
    notes: genuine ? [] : [`It says, and nothing of it is verified: ${saying(unverified)}`],
  }
}

/** A token that only time has ended: the rest of it is as it was a second before it expired. */
async function formerly(
  token: string,
  { claims: { exp } }: Unverified,
  fault: TokenFault | undefined,
  { accessTokens }: Sources,
): Promise<VerifiedAccessToken | undefined> {
  const isOfTime = fault?.check === 'time' || fault?.check === 'key'
  if (!isOfTime || !Number.isSafeInteger(exp)) return undefined
  const before = new Date((Number(exp) - 1) * 1000)
  if (Number.isNaN(before.getTime())) return undefined
  return (await accessTokens.examine(token, before)).verified
}

/** The checks of a token by itself. */
async function ownChecks(
  unverified: Unverified,
  fault: TokenFault | undefined,
  sources: Sources,
  names: readonly JwtCheck[] = jwtChecks,
): Promise<Check[]> {
  const { header, claims, length } = unverified
  const messages: Partial<Record<JwtCheck, string>> = {
    form: `three parts, ${length} characters`,
    algorithm: 'RS256',
    header: 'alg, typ and kid',
    key: keyText(header.kid, sources),
    signature: 'made with this key',
    type: `typ ${quoted(header.typ)}`,
    issuer: sources.issuer,
    time: timeText(claims, sources),
    claims: 'complete and of the right types',
  }
  if (fault) messages[fault.check] = await faultText(fault, unverified, sources)
  return upTo(names, fault?.check, messages)
}

/** The fault with what was found instead. */
async function faultText(
  { check, reason }: TokenFault,
  { header, claims }: Unverified,
  sources: Sources,
): Promise<string> {
  switch (check) {
    case 'algorithm':
      return `${reason}, it is ${quoted(header.alg)}`
    case 'header':
      return `${reason}: ${quoted(Object.keys(header).join(' '))}`
    case 'key':
      return keyFaultText(header.kid, sources)
    case 'signature':
      return `${reason}: the token was changed, or another key signed it`
    case 'type':
      return `${reason}: ${quoted(header.typ)}. Only an access token opens an API`
    case 'issuer':
      return `${reason}: ${quoted(claims.iss)} instead of ${quoted(sources.issuer)}`
    case 'time':
      return `${timeText(claims, sources)}; ${clockText(sources)}`
    default:
      return reason
  }
}

const kinds = { jti: 'token', sid: 'session', client: 'client', kid: 'key' } as const

/** Everything about a genuine token that can change, in the order of the server's own APIs. */
async function laterChecks(
  verified: VerifiedAccessToken,
  expected: Expected,
  sources: Sources,
): Promise<Check[]> {
  const { claims } = verified
  const { sid, sub, client_id: clientId } = claims
  const scope = claims.scope.split(' ')
  return [
    audienceCheck([claims.aud].flat(), expected),
    await revocationCheck(verified, sources),
    sid === undefined
      ? skipped('person', 'none: the client acts for itself')
      : await personCheck(sources, sub),
    expected.clientId !== undefined && expected.clientId !== clientId
      ? failed('client', `it is of ${clientId}, not of ${quoted(expected.clientId)}`)
      : await clientCheck(sources, clientId),
    sid === undefined ? skipped('session', 'none') : await sessionCheck(sources, sid),
    scopeCheck(scope, expected),
  ]
}

async function revocationCheck(verified: VerifiedAccessToken, sources: Sources): Promise<Check> {
  if (!(await sources.accessTokens.isRevoked(verified))) {
    return passed('revocation', 'not the token, its session, its client or its key')
  }
  const { kid, claims } = verified
  const subjects: RevocationSubject[] = [
    { kind: 'jti', value: claims.jti },
    { kind: 'client', value: claims.client_id },
    { kind: 'kid', value: kid },
    ...(claims.sid === undefined ? [] : [{ kind: 'sid', value: claims.sid } as const]),
  ]
  const entries = await readRevocations(sources.db, subjects, sources.now)
  if (entries.length === 0) return failed('revocation', 'Redis has it, PostgreSQL has lost it')
  const texts = entries.map((entry) => entryText(entry, verified, sources))
  return failed('revocation', (await Promise.all(texts)).join('; '))
}

async function entryText(
  { kind, value, revoked_at: at }: RevocationEntry,
  { claims }: VerifiedAccessToken,
  sources: Sources,
): Promise<string> {
  const { sid, client_id: clientId } = claims
  const event =
    kind === 'jti'
      ? await eventAt(
          sources,
          [sid === undefined ? { clientId } : { sid }],
          at,
          ['token.revoked'],
          ({ detail }) => detail.jti === value,
        )
      : undefined
  return `the ${kinds[kind]} ${value} was revoked ${relative(at, sources.now())}${because(event)}`
}

async function explainIdToken(
  token: string,
  unverified: Unverified,
  expected: Expected,
  sources: Sources,
): Promise<Explanation> {
  const { verified, fault } = await sources.idTokens.examine(token)
  // The server reads ID tokens as hints only, expired or not.
  const names = jwtChecks.filter((name) => name !== 'time' && name !== 'header')
  const rest = verified
    ? [
        audienceCheck([verified.aud], { audience: expected.audience ?? expected.clientId }),
        await personCheck(sources, verified.sub),
        await clientCheck(sources, verified.aud),
        await sessionCheck(sources, verified.sid),
      ]
    : ['audience', 'person', 'client', 'session'].map((name) => skipped(name))
  return {
    subject: 'ID token',
    id: verified?.sid,
    checks: [...(await ownChecks(unverified, fault, sources, names)), ...rest],
    notes: [
      'An ID token tells its client who signed in; it opens no API. The server reads it as id_token_hint only.',
      ...(verified ? [`It ${timeText(unverified.claims, sources)}; a hint may have expired.`] : []),
    ],
  }
}

const shown = ['iss', 'aud', 'sub', 'client_id', 'sid', 'jti'] as const

const saying = ({ header, claims }: Unverified): string =>
  [
    `kid ${quoted(header.kid)}`,
    ...shown.filter((name) => name in claims).map((name) => `${name} ${quoted(claims[name])}`),
  ].join(', ')
