import type { Now } from '../clock.ts'
import { sendPublic } from '../http/conditional.ts'
import type { Middleware } from '../http/context.ts'
import { type Keyring, maxAge } from '../keyring/keyring.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'

interface Rooms {
  readonly keyring: LiveKeyring
  readonly now: Now
}

/** The document as it is until the keys are read again or the clock changes their set. */
interface Published {
  readonly keyring: Keyring
  readonly from: Date
  readonly until: Date | undefined
  readonly body: string
}

/** RFC 7517 §5: the public keys, to be cached until the set changes. */
export function jwks({ keyring, now }: Rooms): Middleware {
  let published: Published | undefined
  return (ctx) => {
    const at = now()
    if (!published || !holds(published, keyring.current, at)) {
      published = publish(keyring.current, at)
    }
    sendPublic(ctx, published.body, maxAge(at, published.until))
  }
}

const holds = ({ keyring, from, until }: Published, current: Keyring, at: Date): boolean =>
  keyring === current && at >= from && (until === undefined || at < until)

const publish = (keyring: Keyring, from: Date): Published => ({
  ...{ keyring, from, until: keyring.jwksChangesAt(from) },
  body: JSON.stringify(keyring.jwks(from)),
})
