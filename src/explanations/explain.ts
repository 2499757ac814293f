import { explainCode } from './code.ts'
import type { Expected, Explanation } from './explanation.ts'
import { explainClient, explainKey, explainName, explainUuid, isUuid } from './identifiers.ts'
import { explainJwt, looksLikeJwt } from './jwt.ts'
import { explainRefreshToken } from './refresh-token.ts'
import { explainRequest } from './request.ts'
import { explainSealed, looksSealed } from './sealed-request.ts'
import {
  explainApiKey,
  explainBrowserCookie,
  explainClientSecret,
  explainMailLink,
} from './secrets.ts'
import type { Sources } from './sources.ts'

/** Longer texts are none of ours. */
const longest = 20_000

type Explain = (
  text: string,
  expected: Expected,
  sources: Sources,
) => Promise<Explanation | undefined>

/** Values with a prefix that tells what they are; all of them are secrets. */
const byPrefix: Readonly<Record<string, Explain>> = {
  srt_: explainRefreshToken,
  sac_: explainCode,
  sak_: explainApiKey,
  scs_: explainClientSecret,
  sot_: explainMailLink,
  sbs_: explainBrowserCookie,
  sdt_: async () => ({
    subject: 'device token',
    checks: [],
    notes: [
      'It marks a browser in which a person has signed in before. It opens nothing and is never refused:',
      'without a good one, wrong passwords count as those of strangers.',
    ],
  }),
}

/** True for texts that should not stand in a shell history. */
export const isSecret = (text: string): boolean =>
  looksLikeJwt(text) || looksSealed(text) || text.slice(0, 4) in byPrefix

/**
 * Explains whether the server would accept something, and which check refuses it: a token of any kind, an id,
 * or a request by its id. Nothing is changed, spent or ended.
 * @returns undefined if it is nothing that this server knows
 */
export async function explain(
  text: string,
  expected: Expected,
  sources: Sources,
): Promise<Explanation | undefined> {
  if (text === '' || text.length > longest) return undefined
  const byItsPrefix = Object.hasOwn(byPrefix, text.slice(0, 4)) && byPrefix[text.slice(0, 4)]
  if (byItsPrefix) return byItsPrefix(text, expected, sources)
  if (looksSealed(text)) return explainSealed(text, sources)
  if (looksLikeJwt(text)) return explainJwt(text, expected, sources)
  for (const byId of isUuid(text) ? [explainUuid] : [explainKey, explainClient, explainName]) {
    const found = await byId(text, expected, sources)
    if (found) return found
  }
  return explainRequest(text, sources)
}
