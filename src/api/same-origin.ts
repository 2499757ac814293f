import type { Context } from '../http/context.ts'
import { Problem } from './problem.ts'

/**
 * Keeps pages of strangers from using somebody's cookies (ASVS 3.5.1): a call that changes something
 * comes from an origin on the list. SameSite=Strict cookies would do in new browsers; this does in all.
 */
export class SameOrigin {
  readonly #allowed: ReadonlySet<string>

  /** @param origins of this server and of the apps that may use its cookies */
  constructor(origins: readonly string[]) {
    this.#allowed = new Set(origins)
  }

  /** @throws Problem `foreign-origin` */
  check(ctx: Context): void {
    if (ctx.method === 'GET' || ctx.method === 'HEAD') return
    const origin = ctx.get('origin')
    const site = ctx.get('sec-fetch-site')
    if (origin !== '' ? this.#allowed.has(origin) : site === 'same-origin') return
    throw new Problem('foreign-origin')
  }
}
