import type { Now } from '../clock.ts'
import { type CachedDocument, cachedDocument, type ReadDocument } from '../http/cached-documents.ts'
import { type Keyring, maxAge } from '../keyring/keyring.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'

interface Dependencies {
  readonly keyring: LiveKeyring
  readonly now: Now
}

/** Valid until the keys are read again or the clock changes their set. */
interface Cached {
  readonly keyring: Keyring
  readonly from: Date
  readonly until: Date | undefined
  readonly document: CachedDocument
}

/** RFC 7517 §5: the public keys, to be cached until the set changes. */
export function jwks({ keyring, now }: Dependencies): ReadDocument {
  let cached: Cached | undefined
  return () => {
    const at = now()
    if (!cached || !isCurrent(cached, keyring.current, at)) cached = read(keyring.current, at)
    const maxAgeSeconds = maxAge(at, cached.until)
    if (cached.document.maxAgeSeconds !== maxAgeSeconds) {
      cached = { ...cached, document: { ...cached.document, maxAgeSeconds } }
    }
    return cached.document
  }
}

const isCurrent = ({ keyring, from, until }: Cached, current: Keyring, at: Date): boolean =>
  keyring === current && at >= from && (until === undefined || at < until)

function read(keyring: Keyring, from: Date): Cached {
  const until = keyring.jwksChangesAt(from)
  const document = cachedDocument(JSON.stringify(keyring.jwks(from)), maxAge(from, until))
  return { keyring, from, until, document }
}
