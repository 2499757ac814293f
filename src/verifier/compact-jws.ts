import { type KeyObject, verify } from 'node:crypto'
import { jsonObject } from './json.ts'
import { VerificationError } from './verification-error.ts'

/** A compact JWS, taken apart; nothing in it is true before its signature was verified. */
export interface CompactJws {
  readonly kid: string
  /** One of those that were allowed. */
  readonly typ: string
  readonly payload: Buffer
  /** RFC 7515 §5.1: what is signed. */
  readonly signedPart: string
  readonly signature: Buffer
}

/** Three base64url parts and nothing else: no white space, no padding, no other serialization. */
const compact = /^[\w-]+\.[\w-]+\.[\w-]+$/

const maxHeaderLength = 2048
const maxSignatureLength = 1024

const ownMembers = ['alg', 'typ', 'kid']

const malformed = (message: string) => new VerificationError('token_malformed', message)

/**
 * Takes apart what claims to be of one of these types, RFC 8725 §3.11. The algorithm is no choice of the
 * sender: RS256 or nothing (§3.1). What brings a key, an address or an extension is refused whole
 * (§3.10, RFC 7515 §4.1.11): the issuer writes no such header.
 */
export function readJws(
  text: string,
  types: readonly string[],
  maxPayloadLength: number,
): CompactJws {
  if (typeof text !== 'string' || text.length > maxPayloadLength + 4096 || !compact.test(text)) {
    throw malformed('not a compact JWS')
  }
  const first = text.indexOf('.')
  const last = text.lastIndexOf('.')
  const signaturePart = text.slice(last + 1)
  if (first > maxHeaderLength || signaturePart.length > maxSignatureLength) {
    throw malformed('longer than the issuer writes it')
  }
  if (last - first - 1 > maxPayloadLength) throw malformed('longer than the issuer writes it')
  const { kid, typ } = readHeader(text.slice(0, first), types)
  const signature = Buffer.from(signaturePart, 'base64url')
  // Its last character has bits to spare: one spelling of a token and no other.
  if (signature.toString('base64url') !== signaturePart) throw malformed('not the one spelling')
  const payload = Buffer.from(text.slice(first + 1, last), 'base64url')
  return { kid, typ, payload, signedPart: text.slice(0, last), signature }
}

function readHeader(part: string, allowed: readonly string[]): Pick<CompactJws, 'kid' | 'typ'> {
  const header = jsonObject(Buffer.from(part, 'base64url'))
  if (!header) throw malformed('the header is not a JSON object')
  const { alg, typ, kid } = header
  if (alg !== 'RS256') throw new VerificationError('algorithm_not_allowed', 'alg is not RS256')
  const type = allowed.find((one) => isType(typ, one))
  if (type === undefined) {
    throw new VerificationError('type_not_allowed', `typ is not ${allowed.join(' or ')}`)
  }
  if (typeof kid !== 'string' || kid === '') throw malformed('no kid')
  if (Object.keys(header).some((member) => !ownMembers.includes(member))) {
    throw malformed('the header has members that the issuer does not write')
  }
  return { kid, typ: type }
}

/** RFC 7515 §4.1.9: `application/` may be left out; media types know no case. */
function isType(typ: unknown, wanted: string): boolean {
  if (typ === wanted) return true
  return typeof typ === 'string' && typ.toLowerCase().replace(/^application\//, '') === wanted
}

let isTaken = false

/** Once in a turn of the event loop. */
function takeTurn(): boolean {
  if (isTaken) return false
  isTaken = true
  setImmediate(() => {
    isTaken = false
  })
  return true
}

/**
 * RFC 7518 §3.3. The first of a turn here and now: that takes 25 µs, and waking another thread more. All
 * others on the pool of threads, so that many at once do not hold up the one that serves requests.
 */
export function assertSignature(jws: CompactJws, key: KeyObject): Promise<void> | undefined {
  const signed = Buffer.from(jws.signedPart, 'latin1')
  if (takeTurn()) return assertSigned(verify('sha256', signed, key, jws.signature))
  return new Promise<boolean>((resolve, reject) => {
    verify('sha256', signed, key, jws.signature, (error, is) =>
      error ? reject(error) : resolve(is),
    )
  }).then(assertSigned)
}

function assertSigned(isSigned: boolean): undefined {
  if (isSigned) return
  throw new VerificationError('signature_invalid', 'the signature is not by this key')
}
