import { isUtf8 } from 'node:buffer'
import { type KeyObject, verify } from 'node:crypto'
import { type TokenCheck, VerificationError } from './verification-error.ts'

/** The parts of a compact JWS; nothing in it may be trusted before its signature is verified. */
interface CompactJws {
  readonly kid: string
  /** One of the allowed types. */
  readonly typ: string
  readonly payload: Buffer
  /** The signing input (RFC 7515 §5.1). */
  readonly signedPart: string
  readonly signature: Buffer
}

/** Three base64url parts and nothing else: no white space, no padding, no other serialization. */
const compact = /^[\w-]+\.[\w-]+\.[\w-]+$/

const maxHeaderLength = 2048
const maxSignatureLength = 1024

const ownMembers = ['alg', 'typ', 'kid']

const malformed = (message: string, check: TokenCheck = 'form') =>
  new VerificationError('token_malformed', message, undefined, check)

/**
 * Parses a JWS of one of these types (RFC 8725 §3.11). The sender does not choose the algorithm: only RS256
 * is accepted (§3.1). A header with a key, a URL or an extension is rejected (§3.10, RFC 7515 §4.1.11),
 * because the issuer writes none.
 * @throws VerificationError
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
    throw malformed('too long for a token of the issuer')
  }
  if (last - first - 1 > maxPayloadLength) throw malformed('too long for a token of the issuer')
  const { kid, typ } = readHeader(text.slice(0, first), types)
  const signature = Buffer.from(signaturePart, 'base64url')
  // The last character has unused bits; only the canonical spelling is accepted.
  if (signature.toString('base64url') !== signaturePart)
    throw malformed('not the canonical encoding')
  const payload = Buffer.from(text.slice(first + 1, last), 'base64url')
  return { kid, typ, payload, signedPart: text.slice(0, last), signature }
}

function readHeader(part: string, allowed: readonly string[]): Pick<CompactJws, 'kid' | 'typ'> {
  const header = jsonObject(Buffer.from(part, 'base64url'))
  if (!header) throw malformed('the header is not a JSON object', 'header')
  const { alg, typ, kid } = header
  if (alg !== 'RS256') throw new VerificationError('algorithm_not_allowed', 'alg is not RS256')
  const type = allowed.find((one) => isType(typ, one))
  if (type === undefined) {
    throw new VerificationError('type_not_allowed', `typ is not ${allowed.join(' or ')}`)
  }
  if (typeof kid !== 'string' || kid === '') throw malformed('no kid', 'key')
  if (Object.keys(header).some((member) => !ownMembers.includes(member))) {
    throw malformed('the header has members that the issuer does not write', 'header')
  }
  return { kid, typ: type }
}

/** RFC 7515 §4.1.9: `application/` may be left out; media types know no case. */
function isType(typ: unknown, wanted: string): boolean {
  if (typ === wanted) return true
  return typeof typ === 'string' && typ.toLowerCase().replace(/^application\//, '') === wanted
}

let isTaken = false

/** True once per turn of the event loop. */
function takeTurn(): boolean {
  if (isTaken) return false
  isTaken = true
  setImmediate(() => {
    isTaken = false
  })
  return true
}

/**
 * Verifies the signature (RFC 7518 §3.3). The first one in a turn of the event loop runs synchronously: it
 * takes 25 µs, and waking another thread takes longer. All others run on the thread pool, so that
 * many at once do not block the main thread.
 * @throws VerificationError
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
  throw new VerificationError('signature_invalid', 'the signature is not from this key')
}

type JsonObject = Readonly<Record<string, unknown>>

/** Parses a JSON object in UTF-8 (RFC 8725 §3.7); undefined for everything else. */
export function jsonObject(bytes: Uint8Array): JsonObject | undefined {
  if (!isUtf8(bytes)) return undefined
  try {
    const value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
