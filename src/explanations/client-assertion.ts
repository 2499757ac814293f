import { type Explanation, quoted, relative, upTo } from './explanation.ts'
import { clientCheck } from './parties.ts'
import { clientOf, type Sources } from './sources.ts'

/** The checks of a client assertion, in the order in which the server does them: RFC 7523 §3. */
const names = ['client', 'algorithm', 'key', 'signature', 'claims', 'time', 'use'] as const

type Name = (typeof names)[number]

/** The check that each reason of a refusal stands for; all others are of the claims. */
const checkOf: Readonly<Record<string, Name>> = {
  'the client has no keys': 'key',
  ERR_JOSE_ALG_NOT_ALLOWED: 'algorithm',
  ERR_JWKS_NO_MATCHING_KEY: 'key',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'key',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'signature',
  ERR_JWT_EXPIRED: 'time',
  'ERR_JWT_CLAIM_VALIDATION_FAILED: nbf': 'time',
  'its iat lies in the future': 'time',
  'it lives too long': 'time',
  'its jti was used before': 'use',
}

interface Unverified {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

/** True for a JWT that a client has signed about itself: `iss` and `sub` are its id. */
export const isAssertion = ({ claims: { iss, sub } }: Unverified): boolean =>
  typeof iss === 'string' && iss !== '' && iss === sub

/** Explains a client assertion, which is not spent. */
export async function explainAssertion(
  assertion: string,
  { header, claims }: Unverified,
  sources: Sources,
): Promise<Explanation> {
  const id = String(claims.sub)
  const subject = 'client assertion'
  const client = /^[A-Za-z0-9._~-]{1,100}$/.test(id) ? await clientOf(sources, id) : undefined
  if (!client || client.disabledAt) {
    const { message } = client
      ? await clientCheck(sources, id)
      : { message: `there is no client ${quoted(id)}` }
    return { subject, checks: upTo(names, 'client', { client: message }), notes: [] }
  }
  const refusal = await sources.assertions.foresee(client, assertion)
  const fault = refusal === undefined ? undefined : (checkOf[refusal] ?? 'claims')
  const checks = upTo(names, fault, {
    client: `${client.id} is enabled`,
    algorithm: quoted(header.alg),
    key: `kid ${quoted(header.kid)}`,
    signature: 'made with a key of the client',
    claims: `for ${quoted(claims.aud)}`,
    time: timeText(claims.exp, sources.now()),
    use: 'not used yet',
    ...(fault && { [fault]: `${refusal}; ${foundText(fault, { header, claims }, sources)}` }),
  })
  return { subject, id: client.id, checks, notes: [] }
}

function timeText(exp: unknown, now: Date): string {
  const date = new Date(Number(exp) * 1000)
  if (typeof exp !== 'number' || Number.isNaN(date.getTime())) return `exp is ${quoted(exp)}`
  return `${date <= now ? 'expired' : 'expires'} ${relative(date, now)}`
}

function foundText(fault: Name, { header, claims }: Unverified, { issuer, now }: Sources): string {
  if (fault === 'time') return timeText(claims.exp, now())
  if (fault === 'claims') return `it is for ${quoted(claims.aud)}, this server is ${issuer}`
  if (fault === 'use') return 'each is good for one request'
  return `alg ${quoted(header.alg)}, kid ${quoted(header.kid)}`
}
