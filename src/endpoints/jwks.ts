import type { Now } from '../clock.ts'
import { sendPublic } from '../http/conditional.ts'
import type { Middleware } from '../http/context.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'

interface Rooms {
  readonly keyring: LiveKeyring
  readonly now: Now
}

/** RFC 7517 §5: the public keys, to be cached until the set changes. */
export function jwks({ keyring, now }: Rooms): Middleware {
  return (ctx) => {
    const at = now()
    sendPublic(ctx, JSON.stringify(keyring.current.jwks(at)), keyring.current.jwksMaxAge(at))
  }
}
