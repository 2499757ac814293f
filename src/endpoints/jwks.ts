import type { Now } from '../clock.ts'
import { type CachedDocument, publish, type ReadDocument } from '../http/cached-documents.ts'
import { type Keyring, maxAge } from '../keyring/keyring.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'

interface Dependencies {
  readonly keyring: LiveKeyring
  readonly now: Now
}

/** The document as it is until the keys are read again or the clock changes their set. */
interface Made {
  readonly keyring: Keyring
  readonly from: Date
  readonly until: Date | undefined
  readonly document: CachedDocument
}

/** RFC 7517 §5: the public keys, to be cached until the set changes. */
export function jwks({ keyring, now }: Dependencies): ReadDocument {
  let made: Made | undefined
  return () => {
    const at = now()
    if (!made || !holds(made, keyring.current, at)) made = make(keyring.current, at)
    const maxAgeSeconds = maxAge(at, made.until)
    if (made.document.maxAgeSeconds !== maxAgeSeconds) {
      made = { ...made, document: { ...made.document, maxAgeSeconds } }
    }
    return made.document
  }
}

const holds = ({ keyring, from, until }: Made, current: Keyring, at: Date): boolean =>
  keyring === current && at >= from && (until === undefined || at < until)

function make(keyring: Keyring, from: Date): Made {
  const until = keyring.jwksChangesAt(from)
  const document = publish(JSON.stringify(keyring.jwks(from)), maxAge(from, until))
  return { keyring, from, until, document }
}
